"""Flags before environment before file before defaults; what is wrong is named."""

import socket

import pytest

from lentigo.errors import DataError
from lentigo.serve import load_settings, serve


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "serve.toml"
    path.write_text('port = 1\nqueue = 100\nhost = "10.0.0.1"\n')
    return path


def test_flags_before_environment_before_file(file, monkeypatch):
    monkeypatch.setenv("LENTIGO_SERVE_QUEUE", "200")
    monkeypatch.setenv("LENTIGO_SERVE_PORT", "2")
    found = load_settings(file, port=3)
    assert (found.port, found.queue, found.host, found.batch) == (3, 200, "10.0.0.1", 4)
    monkeypatch.setenv("LENTIGO_SERVE_CONFIG", str(file))
    assert load_settings().host == "10.0.0.1"


def test_secrets_are_not_shown(tmp_path):
    (tmp_path / "keys").write_text("one\n\n two \n")
    found = load_settings(api_keys=["three"], api_keys_file=tmp_path / "keys", admin_key="four")
    assert found.keys() == ["three", "one", "two"]
    assert found.admin_keys() == ["four"]
    for text in (str(found.shown()), repr(found)):
        assert not any(word in text for word in ("one'", "two'", "three", "four"))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"port": 70_000}, "port"),
        ({"port": "many"}, "port"),
        ({"queue": 0}, "queue"),
        ({"models": []}, "at least one model"),
        ({"models": [" "]}, "at least one model"),
        ({"log_level": "loud"}, "log_level"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": "nan"}, "timeout"),
        ({"max_pixels": 10**9}, "max_pixels"),
        ({"queue": 1, "max_images": 2}, "must hold"),
        ({"max_buffered": 1}, "must hold"),
        ({"api_keys": [" "]}, "key is empty"),
        ({"prot": 1}, "prot"),
    ],
)
def test_what_is_wrong_is_named(given, said):
    with pytest.raises(DataError, match=said):
        load_settings(**given)


def test_a_wrong_value_is_not_quoted_where_it_may_be_a_secret():
    with pytest.raises(DataError) as caught:
        load_settings(api_keys={"very secret": "indeed"})
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("content", ["prot = 1", "port = ", "port = 'x'", "[serve]\nport = 1", "\0"])
def test_files_that_are_wrong_are_named(tmp_path, content):
    path = tmp_path / "serve.toml"
    path.write_text(content)
    with pytest.raises(DataError, match=r"serve\.toml"):
        load_settings(path)


def test_a_mistyped_variable_is_not_ignored(monkeypatch):
    monkeypatch.setenv("LENTIGO_SERVE_API_KEY_FILE", "keys")
    with pytest.raises(DataError, match="API_KEY_FILE") as caught:
        load_settings()
    assert "LENTIGO_SERVE_API_KEYS_FILE" in caught.value.hint


def test_files_that_are_absent_or_empty(tmp_path):
    with pytest.raises(DataError, match="absent"):
        load_settings(tmp_path / "absent.toml")
    (tmp_path / "keys").write_text("\n")
    with pytest.raises(DataError, match="no key"):
        load_settings(api_keys_file=tmp_path / "keys").keys()


def test_the_verb_names_what_is_wrong(run, tmp_path, bundle_path):
    code, _, said = run("serve", tmp_path / "absent.onnx", "--port", 0)
    assert code == 1 and "absent.onnx: there is no such file" in said
    code, _, said = run("serve", "--queue", 0)
    assert code == 1 and "queue" in said
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, _, said = run("serve", bundle_path, "--port", taken.getsockname()[1])
    assert code == 1 and "address already in use" in said


def test_the_file_is_named_where_it_is_to_blame_and_only_there(file, monkeypatch):
    with pytest.raises(DataError, match=r"^The configuration is not valid: port"):
        load_settings(file, port=99_999)
    monkeypatch.setenv("LENTIGO_SERVE_QUEUE", "none")
    with pytest.raises(DataError, match=r"^The configuration is not valid: queue"):
        load_settings(file)
    monkeypatch.delenv("LENTIGO_SERVE_QUEUE")
    file.write_text("port = 99999\n")
    with pytest.raises(DataError, match=r"serve\.toml: the configuration is not valid: port"):
        load_settings(file)


def test_what_the_gradio_page_does_not_use_is_refused(tmp_path):
    (tmp_path / "keys").write_text("one\n")
    with pytest.raises(DataError, match="doesn't use api_keys_file, audit_log"):
        serve(ui="gradio", host="127.0.0.1", api_keys_file=tmp_path / "keys", audit_log=tmp_path / "log")


def test_the_gradio_page_shows_one_model_and_none_is_left_out_unsaid():
    with pytest.raises(DataError, match="shows one model"):
        serve(["lentigo-s", "lentigo-n"], ui="gradio")
