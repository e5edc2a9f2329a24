-- What people and servers used, of each kind in each slot of time: a row a writer, who replaces its own and adds to nobody
-- else's. Times are milliseconds since 1970 in UTC.
CREATE TABLE usage_slots (
    subject TEXT NOT NULL,
    kind TEXT NOT NULL,
    slot BIGINT NOT NULL,
    writer TEXT NOT NULL,
    amount BIGINT NOT NULL,
    ends_at BIGINT NOT NULL,
    PRIMARY KEY (subject, kind, slot, writer)
);
CREATE INDEX usage_slots_by_end ON usage_slots (ends_at);
