-- What is remembered of each subject beyond the life of a process, shared by processes. `body` is the owner's, as JSON.
CREATE TABLE ledger (
    subject TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    body TEXT NOT NULL,
    revision BIGINT NOT NULL,
    written_at BIGINT NOT NULL,
    ends_at BIGINT,
    PRIMARY KEY (subject, kind, name)
);
CREATE INDEX ledger_by_revision ON ledger (revision);

-- The last batch of each process, so that one is never counted twice.
CREATE TABLE ledger_writers (
    writer TEXT PRIMARY KEY,
    serial BIGINT NOT NULL,
    written_at BIGINT NOT NULL
);

-- One row, changed first by every write: orders them, and tells readers how far they are.
CREATE TABLE ledger_revision (
    id BIGINT PRIMARY KEY,
    revision BIGINT NOT NULL
);
INSERT INTO ledger_revision (id, revision) VALUES (1, 0);
