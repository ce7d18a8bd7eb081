"""What the engine lacks and this application needs, one module per gap.

Each module's docstring says what the engine lacks, what AWS does, and when the module can go.
"""

from __future__ import annotations

from types import ModuleType

from local.engine.extensions import (
    batch_attributes,
    bucket_deletion,
    event_source_types,
    firehose_to_opensearch,
    firehose_to_s3,
    function_errors,
    function_interpreter,
    function_log_wait,
    json_tables,
    named_queries,
    nested_deletion,
    nested_rollback,
    nested_transform,
    nested_update,
    partial_batch_failures,
    query_functions,
    query_parameters,
    queue_batches,
    rest_api_content_types,
    rest_api_definition,
    rest_api_function_failures,
    rest_api_mock,
    rest_api_paths,
    rest_api_update,
    subscription_redrive,
    tables_from_queries,
)

__all__ = ["EXTENSIONS"]

EXTENSIONS: tuple[ModuleType, ...] = (
    nested_transform,
    nested_update,
    nested_deletion,
    nested_rollback,
    batch_attributes,
    bucket_deletion,
    function_interpreter,
    function_log_wait,
    function_errors,
    queue_batches,
    partial_batch_failures,
    subscription_redrive,
    rest_api_definition,
    rest_api_update,
    rest_api_content_types,
    rest_api_mock,
    rest_api_paths,
    rest_api_function_failures,
    event_source_types,
    firehose_to_s3,
    firehose_to_opensearch,
    named_queries,
    query_parameters,
    query_functions,
    json_tables,
    tables_from_queries,
)
"""Every extension, in the order in which they are applied."""
