"""Which events have a log and a vendor's id that another event has too: table `shared_ids`.

The ids of all events are compared by 40 bits each; only the few that agree in those are looked at as they are.
"""

import pyarrow as pa

from ultravires.build.table_schemas import table_schemas
from ultravires.store.segments import SHARED_ID
from ultravires.store.warehouse import Warehouse

_SHARING = """
create or replace temp table sharing as
with counted as (
    from event_ids anti join deleted_rows using (segment, row_no)
)
select segment, row_no, id_high, id_low
from counted semi join (select native from counted group by native having count(*) > 1) using (native)
"""

_SHARED = """
select
    event_id, {shared_id} as shared_id, log, native_id, source, kind, event_at, event_hour, actor_uid, action,
    resource_uids, outcome
from {live_rows} join sharing using (segment, row_no)
qualify count(*) over (partition by log, native_id) > 1
"""


def note_shared_ids(warehouse: Warehouse) -> None:
    """Write the table anew; its version grows only where it differs."""
    con = warehouse.con
    con.execute(_SHARING)
    names = [name for (name,) in con.execute("select distinct segment from sharing").fetchall()]
    live_rows = warehouse.segments.live_rows([warehouse.segments.folder / name for name in names])
    rows: pa.Table = con.sql(_SHARED.format(shared_id=SHARED_ID, live_rows=live_rows)).to_arrow_table()
    warehouse.store_reference("shared_ids", rows.cast(table_schemas()["shared_ids"].arrow()))
