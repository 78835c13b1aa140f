"""Starts MiniStack with one gap closed: its PartiQL writes leave no record in the table's stream, DynamoDB's do.

Seen with 1.5.33: BatchExecuteStatement with an INSERT, then GetRecords: nothing. The outbox of Borealis is the stream,
so without this every task would wait for the sweep. The probe in emulator.ts fails if a stream still lacks them.
"""

import copy
import functools

from ministack.app import main
from ministack.services import dynamodb


def stored(table, parsed):
    """The item a statement is about, as it is now; None if there is none."""
    if parsed["op"] == "INSERT":
        item = parsed.get("item", {})
        item = item["M"] if set(item) == {"M"} else item
        partition = dynamodb._extract_key_val(item.get(table["pk_name"]))
        sort = dynamodb._extract_key_val(item.get(table["sk_name"])) if table["sk_name"] else "__no_sort__"
    else:
        partition, sort, _condition, error = dynamodb._partiql_key_target(table, parsed)
        if error:
            return None
    return copy.deepcopy(table["items"].get(partition, {}).get(sort))


def recorded(write):
    """The write, followed by its stream record if it changed something."""

    @functools.wraps(write)
    def wrapper(table, parsed, *rest):
        before = stored(table, parsed)
        answer = write(table, parsed, *rest)
        after = stored(table, parsed)
        if answer[0] == 200 and before != after:
            kind = "INSERT" if before is None else "REMOVE" if after is None else "MODIFY"
            dynamodb._emit_stream_event(table["TableName"], kind, before, after)
        return answer

    return wrapper


for name in ("_partiql_insert", "_partiql_update", "_partiql_delete"):
    setattr(dynamodb, name, recorded(getattr(dynamodb, name)))

main()
