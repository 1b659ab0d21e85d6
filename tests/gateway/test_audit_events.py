from __future__ import annotations

from gateway.audit_events import AuditName, event
from gateway.clock import new_id


def test_every_name_reads_subject_and_verb() -> None:
    assert len(AuditName) == 35
    for name in AuditName:
        subject, verb = name.value.split(".")
        assert name.name == f"{subject}_{verb}".upper()


def test_an_event_holds_what_storage_writes() -> None:
    id_ = new_id()
    made = event(AuditName.PIN_SET, id=id_, at=1.5, actor="cli", subject="user:1", detail={"by": "hr"}, request_id=id_)
    assert (made.id, made.at, made.name, made.actor, made.subject) == (id_, 1.5, "pin.set", "cli", "user:1")
    assert made.detail == {"by": "hr"}
    assert made.company_id is None
    assert type(made.name) is str


def test_fresh_ids_sort_as_they_were_made() -> None:
    ids = [new_id() for _ in range(50)]
    assert ids == sorted(set(ids))
    assert all(id_[14] == "7" and len(id_) == 36 for id_ in ids)
