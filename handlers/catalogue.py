"""All operations and all services: the tails of the slices, one after the other. Nothing else lists them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from handlers import audit, identity, nodes, sessions, source_grants, source_integrations, source_tasks
from handlers.access_policies import effective as effective_policies
from handlers.access_policies import policies as access_policies
from handlers.advisories import bundle as advisory_bundle
from handlers.alert_rules import previewing as alert_rule_previews
from handlers.alert_rules import rules as alert_rules
from handlers.alert_rules import states as alert_rule_states
from handlers.alert_rules import templates as alert_rule_templates
from handlers.alert_rules.evaluating import keep_evaluating
from handlers.alerts import acknowledging_many, acting, commenting, inhibitions, looking, silences
from handlers.alerts import routes as alert_routes
from handlers.alerts.keeping import keep_alerts
from handlers.analytics import correlations, insights, predictions, relationships, verdicts
from handlers.analytics import results as analytics_results
from handlers.backups import operations as backup_operations
from handlers.backups import status as backup_status
from handlers.catalog import datasets as catalog_datasets
from handlers.catalog import discovering, glossary, lineage, openlineage, sql_lineage
from handlers.catalog import export as catalog_export
from handlers.catalog import history as schema_history
from handlers.collaboration import (
    blame,
    content,
    differences,
    documents,
    export,
    history,
    members,
    search,
    versions,
    workspaces,
)
from handlers.collaboration.automatic_versions import keep_versions
from handlers.collaboration.indexing import keep_index
from handlers.dashboard import compliance, coverage, source_health, summary, trends
from handlers.dashboard import lineage as dashboard_lineage
from handlers.detections import alerts as security_alerts
from handlers.detections import pushing as detection_events
from handlers.detections import settings as detection_settings
from handlers.detections import trail as trail_detections
from handlers.detections.following import keep_following
from handlers.detections.keeping import keep_detecting
from handlers.event_exports import operations as event_exports
from handlers.event_exports.exporting import keep_exporting
from handlers.feeds import notifications, publishing, reading
from handlers.feeds.retention import keep_feeds_short
from handlers.ingest import push_keys
from handlers.ingest import samples as pushed_samples
from handlers.integrations import deliveries
from handlers.integrations import registration as integration_registration
from handlers.integrations.delivering import keep_delivering
from handlers.jobs import Job
from handlers.live_diagrams.service import keep_diagrams_live
from handlers.parts import Parts
from handlers.performance import blocking, growth, index_advice, metrics, statements
from handlers.performance import collections as metric_collections
from handlers.performance import listing as metric_listing
from handlers.performance.collecting import keep_collecting
from handlers.reports import operations as report_operations
from handlers.sample_keeping import keep_samples
from handlers.scans import job as scan_job
from handlers.scans import rules as scan_rules
from handlers.scans import scans
from handlers.scans.ending import keep_scans
from handlers.schedules import runs, schedules
from handlers.schedules.firing import keep_schedules
from handlers.security import checks as security_checks
from handlers.security import data_policies, policy_outcomes, sensitive_data
from handlers.security import exceptions as security_exceptions
from handlers.security import export as security_export
from handlers.security import findings as security_findings
from handlers.security import history as security_history
from handlers.security import job as security_job
from handlers.security import posture as security_posture
from handlers.security import scans as security_scans
from handlers.security.ending import keep_audits
from handlers.security.policy_keeping import keep_data_policies
from handlers.sources import registration
from handlers.sources import testing as source_testing
from handlers.workflow import definitions as workflow_definitions
from handlers.workflow import files as workflow_files
from handlers.workflow import node_types as workflow_node_types
from handlers.workflow import publishing as workflow_publishing
from handlers.workflow import restoring as workflow_restoring
from handlers.workflow import versions as workflow_versions
from handlers.workflow_runs import approvals as workflow_approvals
from handlers.workflow_runs import job as workflow_job
from handlers.workflow_runs import runs as workflow_runs
from handlers.workflow_runs import starting as workflow_starting
from handlers.workflow_runs.action_nodes import actions

OPERATIONS = (
    *identity.OPERATIONS,
    *sessions.OPERATIONS,
    *audit.OPERATIONS,
    *nodes.OPERATIONS,
    *workspaces.OPERATIONS,
    *members.OPERATIONS,
    *documents.OPERATIONS,
    *content.OPERATIONS,
    *history.OPERATIONS,
    *blame.OPERATIONS,
    *differences.OPERATIONS,
    *versions.OPERATIONS,
    *search.OPERATIONS,
    *reading.OPERATIONS,
    *publishing.OPERATIONS,
    *notifications.OPERATIONS,
    *registration.OPERATIONS,
    *source_testing.OPERATIONS,
    *discovering.OPERATIONS,
    *schema_history.OPERATIONS,
    *catalog_datasets.OPERATIONS,
    *glossary.OPERATIONS,
    *lineage.OPERATIONS,
    *sql_lineage.OPERATIONS,
    *openlineage.OPERATIONS,
    *catalog_export.OPERATIONS,
    *runs.OPERATIONS,
    *schedules.OPERATIONS,
    *backup_operations.OPERATIONS,
    *backup_status.OPERATIONS,
    *report_operations.OPERATIONS,
    *source_tasks.OPERATIONS,
    *source_grants.OPERATIONS,
    *source_integrations.OPERATIONS,
    *integration_registration.OPERATIONS,
    *deliveries.OPERATIONS,
    *scans.OPERATIONS,
    *scan_rules.OPERATIONS,
    *summary.OPERATIONS,
    *trends.OPERATIONS,
    *source_health.OPERATIONS,
    *coverage.OPERATIONS,
    *compliance.OPERATIONS,
    *dashboard_lineage.OPERATIONS,
    *correlations.OPERATIONS,
    *relationships.OPERATIONS,
    *insights.OPERATIONS,
    *predictions.OPERATIONS,
    *analytics_results.OPERATIONS,
    *verdicts.OPERATIONS,
    *push_keys.OPERATIONS,
    *pushed_samples.OPERATIONS,
    *metric_collections.OPERATIONS,
    *statements.OPERATIONS,
    *blocking.OPERATIONS,
    *index_advice.OPERATIONS,
    *growth.OPERATIONS,
    *metric_listing.OPERATIONS,
    *metrics.OPERATIONS,
    *alert_rules.OPERATIONS,
    *alert_rule_templates.OPERATIONS,
    *alert_rule_previews.OPERATIONS,
    *alert_rule_states.OPERATIONS,
    *looking.OPERATIONS,
    *acknowledging_many.OPERATIONS,
    *acting.OPERATIONS,
    *commenting.OPERATIONS,
    *silences.OPERATIONS,
    *inhibitions.OPERATIONS,
    *alert_routes.OPERATIONS,
    *detection_events.OPERATIONS,
    *detection_settings.OPERATIONS,
    *trail_detections.OPERATIONS,
    *security_alerts.OPERATIONS,
    *advisory_bundle.OPERATIONS,
    *access_policies.OPERATIONS,
    *effective_policies.OPERATIONS,
    *security_scans.OPERATIONS,
    *security_posture.OPERATIONS,
    *security_findings.OPERATIONS,
    *security_history.OPERATIONS,
    *security_exceptions.OPERATIONS,
    *security_checks.OPERATIONS,
    *security_export.OPERATIONS,
    *sensitive_data.OPERATIONS,
    *data_policies.OPERATIONS,
    *policy_outcomes.OPERATIONS,
    *event_exports.OPERATIONS,
    *workflow_definitions.OPERATIONS,
    *workflow_publishing.OPERATIONS,
    *workflow_versions.OPERATIONS,
    *workflow_restoring.OPERATIONS,
    *workflow_files.OPERATIONS,
    *workflow_node_types.OPERATIONS,
    *workflow_starting.OPERATIONS,
    *workflow_runs.OPERATIONS,
    *workflow_approvals.OPERATIONS,
)

JOBS: tuple[Job, ...] = (
    *export.JOBS,
    *discovering.JOBS,
    *backup_operations.JOBS,
    *report_operations.JOBS,
    *scan_job.JOBS,
    *security_job.JOBS,
    *workflow_job.jobs(actions(lambda: OPERATIONS)),
)


def services() -> tuple[Callable[[Parts], Coroutine[Any, Any, None]], ...]:
    """What runs beside the requests while the server does; each runs until it is cancelled."""
    return (
        lambda parts: parts.nodes.run(),
        lambda parts: parts.access.run(),
        lambda parts: parts.feeds.run(),
        lambda parts: parts.sources.run(),
        lambda parts: parts.runs.run(parts),
        keep_index,
        keep_versions,
        keep_feeds_short,
        keep_schedules,
        keep_delivering,
        keep_scans,
        keep_audits,
        keep_data_policies,
        keep_samples,
        keep_evaluating,
        keep_alerts,
        keep_collecting,
        keep_detecting,
        keep_exporting,
        keep_following,
        keep_diagrams_live,
    )
