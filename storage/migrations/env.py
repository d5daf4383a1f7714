"""Alembic's entry: runs the migrations on the connection it is handed (see storage/migrate.py)."""

from alembic import context

import storage.access_policy_tables
import storage.advisory_tables
import storage.alert_tables
import storage.analytics_tables
import storage.backup_tables
import storage.catalog_tables
import storage.data_policy_tables
import storage.detection_tables
import storage.event_export_tables
import storage.finding_tables
import storage.governance_tables
import storage.integration_tables
import storage.metric_tables
import storage.openid_tables
import storage.run_tables
import storage.scan_tables
import storage.security_tables
import storage.session_tables
import storage.workflow_run_tables
import storage.workflow_tables  # noqa: F401 - the tables of all are in the metadata
from storage.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite changes most of a table by copying it.
    render_as_batch=True,
)
context.run_migrations()
