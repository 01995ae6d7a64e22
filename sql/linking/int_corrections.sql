-- grain: one row per node whose clock is wrong
-- build: full
-- why: says once by how much what a node's log tells of its time is corrected; acts that a cloud recorded, credentials and recorded approvals stand in no row, whatever an agent's clock says

select of_nodes.node_id, clocks.seconds_ahead
from int_clocks__of_nodes as of_nodes
join clocks on clocks.log = of_nodes.log and clocks.clock_uid = of_nodes.clock_uid
where clocks.seconds_ahead <> 0
