//! Classification, table by table.
