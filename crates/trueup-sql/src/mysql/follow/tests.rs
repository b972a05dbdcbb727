//! What can be told without a server.
