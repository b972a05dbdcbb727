-- The table that most jobs move, and a function that makes its records: the same record for the same id, everywhere.
create table orders(
  id bigint primary key, order_uuid uuid not null, customer text not null, amount numeric(12,2) not null,
  created_at timestamptz not null, paid boolean not null, attrs jsonb not null, qty int not null, note text,
  score double precision not null, ship_date date not null, sig bytea not null);

create or replace function make_orders(first bigint, last bigint) returns setof orders language sql immutable as $$
  select i, overlay(overlay(m placing '4' from 13) placing '8' from 17)::uuid, 'cust-' || substr(m, 1, 10) || '@example.test',
    ((h % 100000000)::numeric / 100)::numeric(12,2),
    timestamptz '2020-01-01 00:00:00+00' + make_interval(secs => h % 150000000) + (h % 1000000) * interval '1 microsecond',
    h % 3 = 0,
    jsonb_build_object('sku', substr(m, 11, 6), 'n', h % 1000, 'tags', jsonb_build_array(substr(m, 1, 3), substr(m, 4, 3))),
    (h % 5000)::int,
    case when h % 4 = 0 then null else 'note ' || substr(m, 1, 8 + (h % 20)::int) end,
    (h % 1000003) / 997.0::float8,
    date '2020-01-01' + (h % 2000)::int,
    decode(substr(m, 1, 16), 'hex')
  from generate_series(first, last) i, lateral (select md5(i::text) m) a,
    lateral (select ('x' || substr(m, 1, 15))::bit(60)::bigint h) b $$;
