"""Keeps old chain ids findable: a late approval gives steps a new root, and so a new chain."""

from ultravires.store.queries import count_rows
from ultravires.store.warehouse import Warehouse

_MOVED = """
insert into chain_aliases
select chain_members.chain_id, chain_steps.chain_id, ?
from chain_members
join chain_steps on chain_steps.step_id = chain_members.step_id
left join chain_aliases as known
    on known.old_id = chain_members.chain_id and known.new_id = chain_steps.chain_id
where chain_steps.chain_id <> chain_members.chain_id and known.old_id is null
group by chain_members.chain_id, chain_steps.chain_id
"""


def follow_chains(warehouse: Warehouse, run_id: str) -> int:
    """Note into which chains the steps of each chain of the last run went; returns the number of aliases.

    The old chain may be gone or may have kept other steps; either way its id leads to where its steps are now.
    """
    with warehouse.transaction() as con:
        con.execute("create table if not exists chain_members(step_id varchar, chain_id varchar)")
        con.execute(_MOVED, [run_id])
        con.execute("create or replace table chain_members as select step_id, chain_id from chain_steps")
        return count_rows(con, "chain_aliases")
