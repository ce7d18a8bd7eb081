"""Deletion of buckets that hold objects.

The engine deletes a stack's bucket with everything in it. AWS refuses to delete a bucket that holds objects, versions
or delete markers, and the deletion of the stack fails ("DeletionPolicy attribute", CloudFormation template reference:
"For Amazon S3 buckets, you must delete all objects in the bucket for deletion to succeed").

Not needed once `provisioners._s3_delete` refuses a bucket that is not empty.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ministack.services import s3
from ministack.services.cloudformation import provisioners

from local.engine.replacement import engine_attribute

__all__ = ["apply"]


def apply() -> None:
    """Refuse to delete a stack's bucket that holds anything."""
    buckets = engine_attribute(s3, "_buckets")
    has_versions = engine_attribute(s3, "_bucket_has_versions")
    handler = engine_attribute(provisioners, "_RESOURCE_HANDLERS")["AWS::S3::Bucket"]
    delete: Callable[[str, dict[str, Any]], None] = handler["delete"]

    def delete_if_empty(name: str, properties: dict[str, Any]) -> None:
        if name in buckets and (buckets[name]["objects"] or has_versions(name)):
            raise ValueError(f"The bucket {name} is not empty: delete what it holds, all versions, first.")
        delete(name, properties)

    handler["delete"] = delete_if_empty
