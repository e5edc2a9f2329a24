-- What people chose: for a server, a channel, a thread or themselves. Times are milliseconds since 1970 in UTC.
CREATE TABLE settings (
    scope TEXT NOT NULL,
    subject TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    set_by TEXT NOT NULL,
    set_at BIGINT NOT NULL,
    PRIMARY KEY (scope, subject, name)
);
