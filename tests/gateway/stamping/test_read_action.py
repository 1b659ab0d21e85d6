"""The short way to read a stamp's JSON against the model it stands for."""

from __future__ import annotations

import json

import pytest

from gateway.http.bodies import parse
from gateway.http.problems import Problem
from gateway.stamping.actions import Action
from gateway.stamping.models import ActionBody, read_action

ID = "0b5cdd3c-5bd7-4a26-a56c-5b0a5f9c62d6"


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize(
    "spelled",
    [
        '{{"stamp_id": "{id}", "action": "{action}"}}',
        '{{"stamp_id":"{id}","action":"{action}"}}',
        '{{"action":"{action}","stamp_id":"{id}"}}',
        '{{"stamp_id":"{upper}","action":"{action}"}}',
        '  {{ "stamp_id" : "{id}" , "action" : "{action}" }}\n',
        '{{"stamp\\u005fid":"{id}","action":"{action}"}}',
    ],
)
def test_reads_what_the_model_reads(spelled: str, action: Action) -> None:
    raw = spelled.format(id=ID, upper=ID.upper(), action=action.value).encode()
    body = parse(ActionBody, raw)
    assert read_action(raw) == (body.stamp_id, body.action) == (ID, action)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{}",
        b'{"stamp_id":"%s","action":"clock"}' % ID.encode(),
        b'{"stamp_id":"%s","action":"clock_in"}x' % ID.encode(),
        b'{"stamp_id":"%s","action":"clock_in","tier":"kiosk"}' % ID.encode(),
        b'{"stamp_id":"%s","action":"clock_in","action":"clock_out"}' % ID.encode(),
        b'{"stamp_id":"%s","action":"clock_in"}\n{}' % ID.encode(),
        json.dumps({"stamp_id": ID[:-1], "action": "clock_in"}).encode(),
        json.dumps({"stamp_id": ID.replace("-", ""), "action": "clock_in"}).encode(),
        json.dumps({"stamp_id": ID, "action": ["clock_in"]}).encode(),
    ],
)
def test_refuses_what_the_model_refuses(raw: bytes) -> None:
    with pytest.raises(Problem) as by_the_model:
        parse(ActionBody, raw)
    with pytest.raises(Problem) as refused:
        read_action(raw)
    assert (refused.value.name, refused.value.errors) == (by_the_model.value.name, by_the_model.value.errors)
