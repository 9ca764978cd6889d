//! The request log: entries, durable append, recovery, static files, receipts.
