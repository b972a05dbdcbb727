-- The same table in SQLite, with the types that trueup gives it. sqlite3 .import keeps every value of it, too.
CREATE TABLE orders(
  id INTEGER NOT NULL PRIMARY KEY, order_uuid UUID NOT NULL, customer TEXT NOT NULL, amount DECIMAL_TEXT(12,2) NOT NULL,
  created_at TIMESTAMPTZ NOT NULL, paid INTEGER NOT NULL, attrs JSON_TEXT NOT NULL, qty INTEGER NOT NULL, note TEXT,
  score REAL NOT NULL, ship_date DATE NOT NULL, sig TEXT NOT NULL);
