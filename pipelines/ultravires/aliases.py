"""Keeps old chain ids findable: a late approval gives a chain a new root, and so a new id."""

from ultravires.asking import ask
from ultravires.warehouse import Warehouse


def follow_chains(warehouse: Warehouse, run_id: str) -> int:
    """Note where the steps of every chain id that is gone stand now; returns the number of aliases."""
    with warehouse.transaction() as con:
        con.execute("create table if not exists chain_members(step_id varchar, chain_id varchar)")
        con.execute(
            """
            insert into chain_aliases
            with gone as (
                select chain_members.step_id, chain_members.chain_id as old_id
                from chain_members
                left join chains on chains.chain_id = chain_members.chain_id
                where chains.chain_id is null
            ),
            moved as (
                select gone.old_id, chain_steps.chain_id as new_id, count(*) as n_steps
                from gone
                join chain_steps on chain_steps.step_id = gone.step_id
                group by gone.old_id, chain_steps.chain_id
            )
            select old_id, max_by(new_id, {'n': n_steps, 'id': new_id}), ? from moved group by old_id
            """,
            [run_id],
        )
        con.execute("create or replace table chain_members as select step_id, chain_id from chain_steps")
        row = ask(con, "select count(*) from chain_aliases")
    return int(row[0]) if row else 0
