"""A search that several workers share: each trial once, as many as were asked for, whoever is killed."""

import json
import multiprocessing
import os
import time
import uuid
from contextlib import contextmanager

import optuna
import pytest
import sqlalchemy
from optuna.exceptions import StorageInternalError
from optuna.trial import TrialState
from sqlalchemy.exc import OperationalError

from lentigo import data, training
from lentigo.errors import RunError
from lentigo.training import trials as sharing
from lentigo.training.samplers import SlotSampler
from lentigo.training.search import search
from lentigo.training.storage import lock_of, named, open_storage
from lentigo.training.trials import LOST_WITH, Trials, is_lost, slots

RECIPE = training.Recipe(size=16, epochs=2, batch_size=32, schedule="constant", rotation=0)
SPACE = {"learning_rate": [1e-2, 3e-3, 1e-3, 3e-4]}
STORAGES = ["journal", "sqlite", "postgres"]
SERVER = "LENTIGO_POSTGRES"
"""Names a PostgreSQL server for tests, as in postgresql+psycopg://postgres@127.0.0.1:5432/postgres."""


@pytest.fixture(scope="module")
def split(synthetic_records):
    return data.split(synthetic_records)


@contextmanager
def own_database():
    """A database of its own on the server."""
    url = os.environ.get(SERVER)
    if not url:
        pytest.skip(f"needs a PostgreSQL server: set {SERVER} to its URL, and install psycopg[binary]")
    name = f"lentigo_{uuid.uuid4().hex}"
    server = sqlalchemy.create_engine(url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(sqlalchemy.text(f"CREATE DATABASE {name}"))
    try:
        yield sqlalchemy.make_url(url).set(database=name).render_as_string(hide_password=False)
    finally:
        with server.connect() as connection:
            connection.execute(sqlalchemy.text(f"DROP DATABASE {name} WITH (FORCE)"))
        server.dispose()


def journal(folder):
    return str(folder / "trials.log")


@pytest.fixture(params=STORAGES)
def where(request, tmp_path):
    """A storage that workers share, of each kind."""
    if request.param == "postgres":
        with own_database() as url:
            yield url
    else:
        yield journal(tmp_path) if request.param == "journal" else f"sqlite:///{tmp_path / 'trials.db'}"


def new_study(where):
    study = optuna.create_study(storage=open_storage(where), study_name="search", load_if_exists=True)
    study.sampler = SlotSampler("grid", SPACE, 0)
    return study


def chosen(trial):
    return trial.suggest_categorical("learning_rate", [json.dumps(value) for value in SPACE["learning_rate"]])


def work(where, seconds, said):
    """A worker that takes trials until all are done, each in so many seconds."""
    sharing.POLL = 0.05
    trials = Trials(new_study(where), 4, alone=False, lock=lock_of(where))
    while (trial := trials.take()) is not None:
        with trials.alive(trial):
            chosen(trial)
            said.put(trial.number)
            time.sleep(seconds)
        trials.study.tell(trial, 1.0)


def test_killed_workers_trials_are_done_by_the_others_and_none_twice(where):
    fork = multiprocessing.get_context("fork")  # the others would first import torch for seconds
    said, said_last = fork.SimpleQueue(), fork.SimpleQueue()  # one that is killed may hold the lock of its queue
    killed = fork.Process(target=work, args=(where, 60, said_last))
    killed.start()
    lost = said_last.get()
    killed.kill()
    killed.join()
    others = [fork.Process(target=work, args=(where, 0.1, said)) for _ in range(3)]
    for other in others:
        other.start()
    for other in others:
        other.join()
    assert [other.exitcode for other in others] == [0, 0, 0]
    found = new_study(where).trials
    done = [trial for trial in found if trial.state == TrialState.COMPLETE]
    assert sorted(trial.params["learning_rate"] for trial in done) == sorted(map(json.dumps, SPACE["learning_rate"]))
    trained = []
    while not said.empty():
        trained.append(said.get())
    assert sorted(trained) == [trial.number for trial in done]  # each of the four by one worker
    assert found[lost].state == TrialState.FAIL


def test_workers_that_begin_at_once_find_one_storage(where):
    fork = multiprocessing.get_context("fork")
    workers = [fork.Process(target=new_study, args=(where,)) for _ in range(4)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    assert [one.exitcode for one in workers] == [0] * 4
    assert len(optuna.get_all_study_names(open_storage(where))) == 1


class TestTrials:
    """What happens between two workers, each step of it."""

    @pytest.fixture(autouse=True)
    def hurry(self, monkeypatch):
        monkeypatch.setattr(sharing, "POLL", 0.01)

    def pair(self, tmp_path, wanted=2):
        return [Trials(new_study(journal(tmp_path)), wanted, alone=False) for _ in range(2)]

    def test_as_many_as_are_wanted(self, tmp_path):
        first, second = self.pair(tmp_path)
        a, b = first.take(), second.take()
        assert chosen(a) != chosen(b)
        first.study.tell(a, 1.0)
        second.study.tell(b, 1.0)
        assert first.take() is second.take() is None

    def test_a_trial_too_many_is_not_trained(self, tmp_path):
        """Both find one trial missing, and both ask."""
        first, second = self.pair(tmp_path, wanted=1)
        a, late = first.take(), second.study.ask()
        assert second._is_ours(a)
        assert not second._is_ours(late)

    def test_a_trial_that_was_let_go_twice_is_repeated_once(self, tmp_path):
        """Both find its worker dead, and one is between ending it and letting it be repeated."""
        first, second = self.pair(tmp_path)
        a = first.take()
        first.free(a, died=True)
        second._repeat(second.study.trials[0], 1)
        one, other = first.take(), second.study.ask()
        assert slots(first.study.trials)[one.number] == 0
        assert second._is_ours(one)
        assert not second._is_ours(other)

    def test_one_that_is_free_again_keeps_its_parameters_and_what_was_reported(self, tmp_path):
        first, second = self.pair(tmp_path)
        a = first.take()
        tried = chosen(a)
        a.set_user_attr("run", "000")
        a.report(0.5, 0)
        first.free(a, died=False)
        again = second.take()
        assert again.number == 1
        assert chosen(again) == tried
        frozen = second.study.trials[1]
        assert frozen.intermediate_values == {0: 0.5}
        assert frozen.user_attrs["run"] == "000"
        assert slots(second.study.trials) == [0, 0]

    def test_a_silent_worker_of_another_machine_is_dead_and_one_that_beats_is_not(self, tmp_path, monkeypatch):
        first, second = self.pair(tmp_path)
        monkeypatch.setattr(sharing, "owner", lambda: {"host": "elsewhere", "process": 1})
        a = first.take()
        now = [0.0]
        monkeypatch.setattr(sharing.time, "monotonic", lambda: now[0])
        second.free_dead()
        now[0] = sharing.SILENCE + 1
        a.set_user_attr("beat", 1)
        second.free_dead()
        assert second.study.trials[0].state == TrialState.RUNNING
        now[0] = 2 * sharing.SILENCE + 3
        second.free_dead()
        assert [trial.state for trial in second.study.trials] == [TrialState.FAIL, TrialState.WAITING]

    def test_what_workers_die_of_is_not_tried_again(self, tmp_path):
        first, _ = self.pair(tmp_path)
        for _ in range(LOST_WITH):
            first.free(first.take(), died=True)
        states = [trial.state for trial in first.study.trials]
        assert states == [TrialState.FAIL] * LOST_WITH
        assert is_lost(first.study.trials[-1])
        last = first.take()
        assert slots(first.study.trials)[last.number] == 1
        first.study.tell(last, 1.0)
        assert first.take() is None

    def test_a_worker_that_was_taken_over_ends_nothing_twice(self, tmp_path):
        first, second = self.pair(tmp_path)
        a = first.take()
        second.free(a, died=True)
        second.free(a, died=True)
        assert len(second.study.trials) == 2


def test_two_folders_share_a_search_and_know_each_others_trials(split, tmp_path, monkeypatch):
    monkeypatch.setattr(sharing, "POLL", 0.01)
    given = {"sampler": "grid", "recipe": RECIPE, "storage": tmp_path / "trials.log", "study": "rates"}
    first = search("compact", split, SPACE, out=tmp_path / "a", trials=1, **given)
    second = search("compact", split, SPACE, out=tmp_path / "b", trials=2, **given)
    assert second.trials[0] == first.trials[0]
    assert [trial.number for trial in second.trials] == [0, 1]
    assert second.run.exists()
    for number, folder in enumerate(("a", "b")):
        assert [run.name for run in (tmp_path / folder / "trials").iterdir()] == [f"{number:03d}"]
    assert search("compact", split, SPACE, out=tmp_path / "a", trials=2, **given).trials == second.trials
    with pytest.raises(RunError, match="learning_rate"):
        search("compact", split, {"learning_rate": [1.0]}, out=tmp_path / "c", **given)
    with pytest.raises(RunError, match="is in a shared storage"):
        search("compact", split, SPACE, out=tmp_path / "a", sampler="grid", recipe=RECIPE)
    with pytest.raises(RunError, match="belongs to study 'rates'"):
        search("compact", split, SPACE, out=tmp_path / "a", **given | {"study": "others"})


def test_a_database_that_goes_away_is_an_error_with_a_next_step(split, tmp_path, monkeypatch):
    def gone(_):
        raise StorageInternalError("An exception is raised during the commit.") from OperationalError(
            "", {}, Exception("server closed the connection\nunexpectedly")
        )

    monkeypatch.setattr(Trials, "take", gone)
    with pytest.raises(RunError, match=r"trials\.db: .*server closed the connection.*run the same again: it resumes"):
        search("compact", split, SPACE, out=tmp_path / "a", storage=f"sqlite:///{tmp_path / 'trials.db'}")


class TestStorage:
    def test_a_file_of_something_else_is_left_alone(self, tmp_path):
        precious = tmp_path / "precious.csv"
        precious.write_text("a,b\n")
        with pytest.raises(RunError, match=r"precious\.csv: this file is not a journal"):
            open_storage(precious)
        assert precious.read_text() == "a,b\n"
        with pytest.raises(RunError, match="this is a folder"):
            open_storage(tmp_path)
        with pytest.raises(RunError, match="there is no folder"):
            open_storage(tmp_path / "none" / "trials.log")

    def test_the_half_line_of_a_killed_process_is_left_out(self, tmp_path, capsys):
        """What was appended to it made a line that nobody could read."""
        journal = tmp_path / "trials.log"
        optuna.create_study(storage=open_storage(journal), study_name="first")
        whole = journal.read_bytes()
        journal.write_bytes(whole + b'{"op_code":2,"worker')
        optuna.create_study(storage=open_storage(journal), study_name="second")
        assert "its last line was cut off" in capsys.readouterr().err
        assert journal.read_bytes().startswith(whole)
        names = [study.study_name for study in optuna.get_all_study_summaries(open_storage(journal))]
        assert names == ["first", "second"]

    @pytest.mark.parametrize("line", [b'{"op_code" 2}\n', b"\xff\xfe garbage\n", b"[]\n", b'{"op_code":2}\n', b"5\n"])
    def test_a_damaged_journal_is_an_error_that_names_it(self, tmp_path, line):
        journal = tmp_path / "trials.log"
        optuna.create_study(storage=open_storage(journal), study_name="first")
        content = journal.read_bytes() + line + journal.read_bytes()
        journal.write_bytes(content)
        with pytest.raises(RunError, match=r"trials\.log: this journal is damaged .*Restore the file"):
            open_storage(journal)
        assert journal.read_bytes() == content

    def test_a_database_is_named_by_its_url(self, tmp_path):
        open_storage(f"sqlite:///{tmp_path / 't.db'}")
        with pytest.raises(RunError, match="Name it as sqlite:///"):
            open_storage(tmp_path / "t.db")

    @pytest.mark.parametrize("url", ["postgresql+nodriver://u:secret@h/d", "sqlite:////none/t.db", "://", "what://x"])
    def test_one_that_can_not_be_opened(self, url):
        with pytest.raises(RunError) as error:
            open_storage(url)
        assert "secret" not in str(error.value)

    def test_a_password_is_shown_to_nobody(self):
        assert named("postgresql://u:secret@h/d") == "postgresql://u:***@h/d"
