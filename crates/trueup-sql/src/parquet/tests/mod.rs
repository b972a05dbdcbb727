//! Tests of the Parquet endpoint; what it shares with CSV is tested there.
