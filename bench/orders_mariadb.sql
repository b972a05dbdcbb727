-- The same table in MariaDB, with the types that trueup would give it.
create table orders(
  id bigint primary key, order_uuid uuid not null, customer varchar(255) not null, amount decimal(12,2) not null,
  created_at timestamp(6) not null, paid boolean not null, attrs json not null, qty int not null, note longtext,
  score double not null, ship_date date not null, sig varbinary(64) not null)
  engine=innodb default character set utf8mb4 collate utf8mb4_nopad_bin;
