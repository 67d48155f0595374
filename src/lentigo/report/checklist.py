"""CLAIM 2024, CLEAR Derm and TRIPOD+AI, filled as far as a machine can: the lists are data, in `checklists/`."""

import json
from importlib.resources import files
from typing import Literal

from lentigo.evaluation.result import Result
from lentigo.render.markdown import table
from lentigo.report.answers import ANSWERS
from lentigo.report.subject import Subject

__all__ = ["LISTS", "Checklist", "Checklists", "Item", "fill", "to_markdown"]

LISTS = ("claim_2024", "clear_derm", "tripod_ai")


class Item(Result):
    """One item.

    Attributes:
        section: of the list.
        number: of the item in the list.
        asks: what it asks for, in our words.
        status: 'filled' by the machine, for the authors to check, or 'open' for them to answer.
        answer: empty where open.
    """

    section: str
    number: str
    asks: str
    status: Literal["filled", "open"]
    answer: str


class Checklist(Result):
    """One list.

    Attributes:
        name: such as 'CLAIM 2024'.
        source: where it is published; its wording is authoritative, not ours.
        checked: against what our numbers and wording were held.
        items: in its order.
    """

    name: str
    source: str
    checked: str
    items: tuple[Item, ...]


class Checklists(Result):
    """All lists for one model.

    Attributes:
        model: its name.
        data: what it was measured on.
        lists: the lists.
    """

    model: str
    data: str
    lists: tuple[Checklist, ...]


def fill(subject: Subject) -> Checklists:
    """Answer what can be answered from predictions and bundle; the rest stays open."""
    return Checklists(model=subject.name, data=subject.data, lists=tuple(_fill(name, subject) for name in LISTS))


def to_markdown(filled: Checklists) -> str:
    """As a page that authors complete."""
    lines = [
        f"# Reporting checklists: {filled.model} on {filled.data}",
        "",
        "Filled in by `lentigo report` as far as predictions and model allow; an author must review every answer and "
        "complete every open item. The items are paraphrased: the publication is authoritative.",
    ]
    for one in filled.lists:
        done = sum(item.status == "filled" for item in one.items)
        lines += [
            "",
            f"## {one.name}",
            "",
            f"{done} of {len(one.items)} items are filled. Source: {one.source}",
            "",
            one.checked,
            "",
        ]
        rows = [(item.number, item.asks, item.answer or "**open**") for item in one.items]
        lines.append(table(("item", "asks for", "answer"), rows))
    return "\n".join(lines) + "\n"


def _fill(name: str, subject: Subject) -> Checklist:
    written = json.loads((files("lentigo.report") / "checklists" / f"{name}.json").read_text(encoding="utf-8"))
    return Checklist(
        name=written["name"],
        source=written["source"],
        checked=written["checked"],
        items=tuple(_answer(item, subject) for item in written["items"]),
    )


def _answer(item: dict[str, str], subject: Subject) -> Item:
    answer = (ANSWERS[item["answer"]](subject) if item["answer"] else None) or ""
    return Item(
        section=item["section"],
        number=item["number"],
        asks=item["asks"],
        status="filled" if answer else "open",
        answer=answer,
    )
