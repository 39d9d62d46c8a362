"""Every message of an alarm when something is wrong, as `lakehouse alerts` says it, then as Slack gets it.

python -m tests.alert_messages > tests/cases/alerts/messages.txt
"""

from __future__ import annotations

from catalog.alarms import read_alarms, spell_out
from catalog.catalogue import load_catalogue
from catalog.pipeline import load_pipeline
from lakehouse.alerts import alerts_text, messages
from local_aws.alarms import NO_DATA, Change
from tests import slack

AT = 1_732_000_200.0


def every_message() -> str:
    """The messages, one for each alarm, in the order of their names."""
    pipeline = load_pipeline()
    spelled = spell_out(read_alarms(pipeline), pipeline, load_catalogue())
    found = []
    for name, alarm in sorted(spelled.items()):
        state = alarm["tells"][0]
        point = None if state == NO_DATA else alarm["above"] + 1
        found += messages(name, alarm, [Change(AT, state, (point,) * alarm["periods"])])
    return f"{alerts_text(found)}\n\n{slack.every_message()}"


if __name__ == "__main__":
    print(every_message(), end="")  # noqa: T201 - what it is for
