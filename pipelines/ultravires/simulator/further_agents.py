"""Agents of the whole company: prompted under a ticket, on a clock that is wrong, and handing work to each other."""

from ultravires.simulator.cast import DATA, PLATFORM, PROD, Agent, Call, Role, Tool


def further_agents() -> tuple[Agent, ...]:
    return (
        Agent(
            "agent-desk-assistant",
            "service-desk",
            "Restore the access of the colleague who wrote the ticket",
            (Role(PROD, "desk-assistant"),),
            (
                Tool("inspect_role", (Call("iam:GetRole", "desk-reader"),)),
                Tool("restore_access", (Call("iam:PutRolePolicy", "desk-reader"),)),
            ),
            session="random",
            carries="window",
            states_ticket=True,
            is_asked_by_human=True,
            is_ticketed=True,
        ),
        Agent(
            "agent-order-clerk",
            "sales-operations",
            "Correct the order that the ticket names",
            (Role(DATA, "order-clerk"),),
            (
                Tool("look_up_order", (Call("dynamodb:GetItem", "orders"),)),
                Tool("correct_order", (Call("dynamodb:PutItem", "orders"),)),
            ),
            states_ticket=True,
            is_asked_by_human=True,
            is_ticketed=True,
        ),
        Agent(
            "agent-fleet-watcher",
            "site-reliability",
            "Take idle machines out of the fleet and of the fleet's role",
            (Role(PROD, "fleet-watcher"),),
            (
                Tool("list_machines", (Call("ec2:DescribeInstances"),)),
                Tool("drain_service", (Call("ecs:UpdateService", "fleet"),)),
                Tool("narrow_role", (Call("iam:PutRolePolicy", "fleet-role"),)),
            ),
            seconds_ahead=95,
        ),
        Agent(
            "agent-month-closer",
            "finance-operations",
            "Close the month: collect the open items and have the ledger exported",
            (Role(PLATFORM, "month-closer"),),
            (
                Tool("list_open_items", (Call("dynamodb:Query", "open-items"),)),
                Tool("ask_ledger_exporter", ()),
            ),
            asks="agent-ledger-exporter",
        ),
        Agent(
            "agent-ledger-exporter",
            "data-platform",
            "Export the ledger for whoever may ask for it",
            (Role(DATA, "ledger-exporter"),),
            (
                Tool("read_ledger", (Call("s3:GetObject", "acme-ledger/monthly/{n}.parquet"),)),
                Tool("write_ledger", (Call("s3:PutObject", "acme-ledger-export/out/{n}.csv"),)),
            ),
            session="ticket",
            states_ticket=True,
        ),
        Agent(
            "agent-lease-reader",
            "observability",
            "Take the right to read the logs for one task, and give it back",
            (Role(DATA, "lease-reader"),),
            (
                Tool("take_rights", (Call("iam:PutRolePolicy", "lease-reader"),)),
                Tool("read_logs", (Call("logs:FilterLogEvents", "/acme/lake"),)),
                Tool("give_back_rights", (Call("iam:DeleteRolePolicy", "lease-reader"),)),
            ),
            risk="high",
            gives_back=True,
        ),
    )
