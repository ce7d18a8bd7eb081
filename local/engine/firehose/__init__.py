"""What the extensions for Firehose's destinations share."""
