-- Answers that are being written, so that one whose process died is not left looking as if more came. Never a text.
-- `held_until` is renewed by the writer while it lives. Times are milliseconds since 1970 in UTC.
CREATE TABLE inflight (
    exchange TEXT PRIMARY KEY,
    application TEXT NOT NULL,
    channel TEXT NOT NULL,
    newest TEXT NOT NULL,
    offer TEXT NOT NULL,
    writer TEXT NOT NULL,
    begun_at BIGINT NOT NULL,
    held_until BIGINT NOT NULL,
    tries BIGINT NOT NULL
);
CREATE INDEX inflight_by_hold ON inflight (held_until);
CREATE INDEX inflight_by_writer ON inflight (writer);
