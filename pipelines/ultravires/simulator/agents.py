"""The agents: each with its task, its roles, its tools and what its logs show."""

from ultravires.simulator.cast import DATA, PLATFORM, PROD, Agent, Call, Role, Tool

_READER = Role(DATA, "data-reader")
_DELEGATE = Role(PROD, "iam-delegate")


def base_agents() -> tuple[Agent, ...]:
    return _ticketed() + _awkward() + _asked_by_humans()


def _ticketed() -> tuple[Agent, ...]:
    return (
        Agent(
            "agent-invoice-triage",
            "finance-operations",
            "Sort the invoices that arrived today and book the clear ones",
            (Role(PLATFORM, "invoice-triage"),),
            (
                Tool("list_invoices", (Call("s3:ListObjects", "acme-invoices"),)),
                Tool("read_invoice", (Call("s3:GetObject", "acme-invoices/inbox/{n}.pdf"),)),
                Tool("book_invoice", (Call("dynamodb:PutItem", "invoice-ledger"),)),
            ),
        ),
        Agent(
            "agent-data-export",
            "data-platform",
            "Export the monthly usage table for the partner",
            (Role(PLATFORM, "data-export"), _READER),
            (
                Tool("find_table", (Call("glue:GetTable", "usage_monthly"),)),
                Tool("read_partition", (Call("s3:GetObject", "acme-usage-lake/monthly/{n}.parquet"),)),
                Tool("write_export", (Call("s3:PutObject", "acme-partner-export/out/{n}.csv"),)),
            ),
        ),
        Agent(
            "agent-access-broker",
            "identity-team",
            "Give the on-call role the read access that the ticket names",
            (Role(PLATFORM, "access-broker"), _DELEGATE),
            (
                Tool("inspect_role", (Call("iam:GetRole", "oncall-reader"),)),
                Tool("grant_read_access", (Call("iam:PutRolePolicy", "oncall-reader"),)),
            ),
            risk="high",
        ),
        Agent(
            "agent-bucket-steward",
            "data-platform",
            "Bring the bucket policies in line with the data catalogue",
            (Role(PLATFORM, "bucket-steward"), Role(DATA, "bucket-governor"), Role(PROD, "bucket-writer")),
            (
                Tool("read_policy", (Call("s3:GetBucketPolicy", "acme-archive"),)),
                Tool("apply_policy", (Call("s3:PutBucketPolicy", "acme-archive"),)),
                Tool("check_object", (Call("s3:GetObject", "acme-archive/sample/{n}.json"),)),
            ),
            risk="high",
        ),
        Agent(
            "agent-capacity-planner",
            "site-reliability",
            "Scale the checkout service for the campaign",
            (Role(PROD, "capacity-planner"),),
            (
                Tool("describe_service", (Call("ecs:DescribeServices", "checkout"),)),
                Tool("scale_service", (Call("ecs:UpdateService", "checkout"),)),
            ),
            session="random",
            states_ticket=True,
        ),
        Agent(
            "agent-log-summarizer",
            "site-reliability",
            "Summarise yesterday's error logs",
            (Role(PROD, "log-summarizer"),),
            (
                Tool("search_logs", (Call("logs:FilterLogEvents", "/acme/checkout"),)),
                Tool("store_summary", (Call("s3:PutObject", "acme-summaries/logs/{n}.md"),)),
            ),
            session="ticket",
            risk="low",
        ),
    )


def _awkward() -> tuple[Agent, ...]:
    """Agents whose logs show less, or in other words."""
    return (
        Agent(
            "agent-cost-optimizer",
            "cloud-finance",
            "Stop the machines that nobody used this week",
            (Role(PROD, "cost-optimizer"),),
            (
                Tool("list_machines", (Call("ec2:DescribeInstances"),)),
                Tool("stop_machine", (Call("ec2:StopInstances", "i-0{n}c61fa4be170"),)),
            ),
            dialect="older",
            session="random",
        ),
        Agent(
            "agent-report-writer",
            "sales-analytics",
            "Write the weekly sales report",
            (Role(DATA, "report-writer"),),
            (
                Tool("run_query", (Call("athena:StartQueryExecution", "sales"),)),
                Tool("fetch_rows", (Call("athena:GetQueryResults", "sales"),)),
                Tool("save_report", (Call("s3:PutObject", "acme-reports/sales/{n}.html"),)),
            ),
            session="ticket",
            carries="session_name",
        ),
        Agent(
            "agent-schema-migrator",
            "data-platform",
            "Move the order table to the new schema",
            (Role(DATA, "schema-migrator"),),
            (
                Tool("read_schema", (Call("glue:GetTable", "orders"), Call("dynamodb:DescribeTable", "orders"))),
                Tool("copy_rows", (Call("dynamodb:PutItem", "orders_v2"),)),
                Tool("start_backfill", (Call("glue:StartJobRun", "orders-backfill"),)),
            ),
            has_sdk_spans=False,
            is_spaced=True,
        ),
        Agent(
            "agent-secret-rotator",
            "identity-team",
            "Rotate the database password of the ticket",
            (Role(PROD, "secret-rotator"),),
            (
                Tool("read_secret", (Call("secretsmanager:GetSecretValue", "prod/orders-db-Kx71fQ"),)),
                Tool("store_secret", (Call("secretsmanager:PutSecretValue", "prod/orders-db-Kx71fQ"),)),
            ),
            session="ticket",
            has_sdk_spans=False,
            is_spaced=True,
            risk="high",
        ),
        Agent(
            "agent-doc-indexer",
            "knowledge-team",
            "Index the handbook pages that changed",
            (Role(DATA, "doc-indexer"),),
            (
                Tool("fetch_page", (Call("s3:GetObject", "acme-handbook/pages/{n}.md"),)),
                Tool("update_index", (Call("dynamodb:PutItem", "handbook-index"),)),
            ),
            dialect="openinference",
            risk="low",
        ),
        Agent(
            "agent-release-notes",
            "developer-experience",
            "Draft the release notes of the week",
            (Role(PLATFORM, "release-notes"),),
            (
                Tool("read_changes", (Call("dynamodb:Query", "change-log"),)),
                Tool("publish_notes", (Call("s3:PutObject", "acme-release-notes/{n}.md"),)),
            ),
            dialect="mcp",
            risk="low",
        ),
    )


def _asked_by_humans() -> tuple[Agent, ...]:
    """Agents that a person asks directly: no ticket, and the role is taken inside the first tool call."""
    return (
        Agent(
            "agent-incident-responder",
            "site-reliability",
            "Why is checkout slow? Look at the service and its logs",
            (Role(PROD, "incident-reader"),),
            (
                Tool("describe_service", (Call("ecs:DescribeServices", "checkout"),)),
                Tool("search_logs", (Call("logs:FilterLogEvents", "/acme/checkout"),)),
                Tool("read_parameter", (Call("ssm:GetParameter", "/checkout/limits"),)),
            ),
            is_asked_by_human=True,
        ),
        Agent(
            "agent-support-helper",
            "customer-care",
            "Find the order of this customer and its state",
            (Role(DATA, "support-helper"),),
            (
                Tool("find_order", (Call("dynamodb:GetItem", "orders"),)),
                Tool("read_receipt", (Call("s3:GetObject", "acme-receipts/2026/{n}.pdf"),)),
            ),
            dialect="older",
            is_asked_by_human=True,
        ),
    )
