"""Why something cannot be read, and what to do, as pages say it."""

from __future__ import annotations

from botocore.exceptions import BotoCoreError, ClientError

STACK_ENDED = "The stack does not answer: it ended meanwhile. Start it again with: lakehouse up"

_REFUSED = ("AccessDenied", "AccessDeniedException", "403", "UnauthorizedOperation")


def why_unread(error: BotoCoreError | ClientError, *, on_aws: bool) -> tuple[str, str]:
    """What is wrong where AWS, or the stack in its place, refuses or does not answer, and what to do.

    Args:
        error: What the library says.
        on_aws: Whether it is AWS.
    """
    if isinstance(error, ClientError) and error.response["Error"].get("Code") in _REFUSED:
        what = f"Your role may not do {error.operation_name}."
        return what, "Take a role that may, such as that of operators."
    if on_aws:
        return f"AWS does not answer: {str(error).rstrip('.')}.", "Look at your credentials and the network."
    what, _, remedy = STACK_ENDED.partition(". ")
    return f"{what}.", remedy
