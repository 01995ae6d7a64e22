"""The published tables as their schemas say, for tests of what reads them."""

from ultravires.build.table_schemas import table_schemas

COLUMNS = {name: table.types() for name, table in table_schemas().items() if table.is_published}
del COLUMNS["events"]["raw"]  # published apart, as events_raw
