-- What is extreme in each of them.
INSERT INTO ints VALUES (1,-32768,-2147483648,0,'4294967295','a','nm','pg_class','18446744073709551615'),
  (2,32767,2147483647,4294967295,'3','','',null,'1'),
  (-9223372036854775808,0,0,1,null,'~',null,null,null),
  (9223372036854775807,1,1,1,'0','"',$$it's "n"$$,null,null);
INSERT INTO nums VALUES (1,'NaN','NaN',100,0.00123,'NaN','NaN','92233720368547758.07'),
  (2,'Infinity',null,12300,0.00999,'Infinity','Infinity','-92233720368547758.08'),
  (3,'-Infinity',-0.01,-9999900,-0.00999,'-Infinity','-Infinity','0.01'),
  (4,'1.0',1,0,0,0.1,0.1,'1,234.50'),
  (5,'1.00',99999999.99,0,0,'-0','-0',null),
  (6,('1' || repeat('0',131071))::numeric,0,0,0,1.17549435e-38,2.2250738585072014e-308,null),
  (7,('0.' || repeat('0',16382)||'1')::numeric,0,0,0,1e-45,5e-324,null),
  (8,'-0.000',0,0,0,3.4028235e38,1.7976931348623157e308,null),
  (9,'12345678901234567890123456789012345678901234567890.123456789012345678901234567890',0,0,0,16777217,9007199254740993,null);
INSERT INTO texts VALUES (1,'','','','','','', ''),
  (2,null,null,null,null,null,null,null),
  (3,E'a\tb\nc\\N\r\u0001','12345','ab','x','MiXed',E'\u007f',decode('00ff','hex')),
  (4,'😀é',' 123 ','  a','é','ÀÉ','\N','\x5c5c'),
  (5,repeat('long',5000),'😀😀😀😀😀','😀','😀','ß','"',decode(repeat('00ff',5000),'hex')),
  (6,' trailing  ','a  ','a  ',' ','a ','NULL','\x0a');
INSERT INTO times VALUES (1,'infinity','24:00:00','24:00:00','24:00:00-15:59','infinity','infinity','infinity','1 year 2 mons 3 days 04:05:06.789','1 day','1 year 2 mons'),
  (2,'-infinity','00:00:00','00:00:00','00:00:00+15:59:59','-infinity','-infinity','-infinity','-178000000 years','-1 day','-5 years'),
  (3,'4713-01-01 BC','23:59:59.999999','23:59:59','23:59:59.999999+05:30','4713-01-01 00:00:00 BC','0001-12-31 BC','4714-11-24 00:00:00+00 BC','1 mon -1 day +00:00:00.000001','0','0'),
  (4,'5874897-12-31','12:00','12:00','12:00-08','294246-12-31 23:59:59.999999','294246-01-01','294246-12-31 23:59:59.999999+00','2147483647 days -2147483648 mons','1 sec','1 mon'),
  (5,'0044-03-15 BC','01:02:03.000004','01:02:03','01:02:03.000004+00','10000-01-01','9999-12-31 23:59:59.999','10000-01-01 00:00:00+00','30 days','30 days','12 mons'),
  (6,'0001-01-01',null,null,null,'0001-01-01','1970-01-01','1900-01-01 00:00:00.000001+00','720:00:00','1 mon','0'),
  (7,'2024-02-29',null,null,null,'1969-12-31 23:59:59.999999',null,'1582-10-10 12:00+00','-00:00:00.000001','-30 days',null);
INSERT INTO jsons VALUES (1,'{"a":1,"a":2, "b":[1.0,1.00, 1e5]}','{"a":1,"a":2, "b":[1.0,1.00, 1e5]}','$.a[*] ? (@ > 1)'),
  (2,'null','null','$'),
  (3,' [ ] ','[]',null),
  (4,'"\u0000"','"\u00e9"',null),
  (5,null,null,null),
  (6,'12345678901234567890.123456789012345678901234567890','12345678901234567890.123456789012345678901234567890',null),
  (7,'{"z":1,"a":{"":null}}','{"z":1,"a":{"":null}}',null),
  (8,'1E400','1E400',null),
  (9,'"\ud83d\ude00"','"\ud83d\ude00"',null),
  (10,'-0','-0',null),
  (11,'{"a":-0.0}','{"a":-0.0}',null);
INSERT INTO arrs VALUES (1,'{}','{}','{}','{}','{}','{}','{}','{}','{}','{}','{}','{}','{}','{}','{}','{}','{}','{}'),
  (2,'{NULL,1}','{NULL,"NULL","","a,b","c\"d","e\\f"," g ","{h}"}','{1.0,1.00,NaN,Infinity}','{1.50,-999.99}','{{1,2},{3,NULL}}','[-3:-1]={1,2,3}','{"\\x00ff",NULL}','{"{\"a\": \"b\\\"c\"}",null}','{infinity,"2024-01-01 00:00:00.000001+00"}',array['ok','happy ''quoted'' "x"','',null]::mood[],array[row(1,'a"b,(c)',1.50,'infinity'),null,row(null,null,null,null),row(1,'',null,null)]::pair[],'{0.1,-0,NaN,5e-324}','{"ab  ",NULL}','{"abc"}',array['sad']::mood[],'{"1 year -3 days 00:00:00.5"}','{"infinity","0044-03-15 BC"}','{1,2}'),
  (3,'{{{1}},{{2}}}',null,null,null,'[0:1][5:6]={{1,2},{3,4}}','[0:0]={NULL}',null,null,null,null,null,null,null,null,null,null,null,null);
INSERT INTO comps VALUES (1,row(1,'x "y" (z), \',1.00,'2024-01-01 00:00+00'),row(row(1,null,null,null),'sad',array['a','b,c']),row(1,'',1,null)),
  (2,row(null,null,null,null),null,null),
  (3,null,row(null,null,null),null),
  (4,row(null,'',null,null),row(null,'',array[]::text[]),null);
INSERT INTO rangs VALUES (1,'empty','empty','empty','empty','empty','empty','empty','{}','{}','{}'),
  (2,'[1,5)','(1.0,2.00]','[infinity,)','(,)','[2024-01-01 00:00+00,infinity]','(,5]','[0.1,0.30000000000000004)','{[1,2),[5,7)}','{(1.0,2.00],[3,)}','{(,2024-01-01 00:00+00),["2025-01-01 00:00:00.000001+00",)}'),
  (3,null,'[,]','[-infinity,infinity)','["0044-03-15 00:00:00 BC",)',null,null,null,null,null,null);
INSERT INTO nets VALUES (1,'10.0.0.1','10.0.0.0/8','08:00:2b:01:02:03','08:00:2b:01:02:03:04:05'),
  (2,'10.0.0.1/8','::/0','ff:ff:ff:ff:ff:ff','ff:ff:ff:ff:ff:ff:ff:ff'),
  (3,'::1','2001:db8::/32',null,null),
  (4,'::ffff:1.2.3.4/128','1.2.3.4/32',null,null),
  (5,'0.0.0.0/0','0.0.0.0/0',null,null);
INSERT INTO bitz VALUES (1,b'00101',b'1',b'',b''),
  (2,b'00000',b'0',b'000000001',repeat('01',1000)::varbit),
  (3,null,null,null,null);
INSERT INTO exts VALUES (1,'','','','(1,2,3)','{}'),
  (2,'a=>NULL, "b c"=>"d\"e,=>", ""=>""','ABC','Top.a_b.C','(0.1,2),(3,4)',array['a=>1'::hstore,null]),
  (3,null,null,null,null,null);
INSERT INTO geos VALUES (1,'(0.1,-0)','{1,2,3}','[(0,0),(1,1)]','(1,1),(0,0)','[(0,0),(1,1)]','((0,0),(1,1),(1,0))','<(0,0),1>'),
  (2,'(Infinity,NaN)','{0.1,0.2,0.30000000000000004}',null,null,'((0,0),(1,1))',null,null);
INSERT INTO search VALUES (1,$$'a':1A,2B 'it''s':3$$,$$'a' & !'b':*A <2> 'c'$$,'FFFFFFFF/FFFFFFFF','10:20:10,14','10:20:10,14'),
  (2,'','','0/0',null,null);
INSERT INTO doms VALUES (1,1,999999,'A@b','12345',1.50,array['ok']::mood[],'sad','ab','{"a":1.0}','2024-01-01 00:00:00.123+00',b'00101',''),
  (2,null,null,null,null,0,null,null,null,null,null,null,'y');
INSERT INTO enums VALUES ('sad',1),
  ('happy ''quoted'' "x"',2),
  ('',3),
  ('Ünï',4);
INSERT INTO uu VALUES ('00000000-0000-0000-0000-000000000000',null,'{}'),
  ('ffffffff-ffff-ffff-ffff-ffffffffffff',true,array['00000000-0000-0000-0000-000000000001']::uuid[]);
INSERT INTO gens(a) SELECT i FROM generate_series(1,5) i;
DELETE FROM gens WHERE id = 3;
INSERT INTO parted SELECT i, chr(97+i%3), i/3.0 FROM generate_series(1,300,7) i;
INSERT INTO parent VALUES (1,'p'),
  (2,'p2');
INSERT INTO child VALUES (1,'c','cb'),
  (3,'c3','cb3');
INSERT INTO unlog VALUES (1,'x');
INSERT INTO "we""ird
name é 'q'" VALUES (1,'a','b',1,2,3);
INSERT INTO nokey VALUES (1,'x'),
  (1,'x'),
  (null,null);
INSERT INTO notnullu VALUES (1,'a');
INSERT INTO numkey VALUES ('NaN','nan'),
  ('Infinity','inf'),
  ('-Infinity','-inf'),
  (1.00,'one'),
  (-0.0,'zero');
INSERT INTO tskey VALUES ('infinity',1),
  ('-infinity',2),
  ('4714-11-24 00:00:00+00 BC',3),
  ('294240-12-31 23:59:59.999999+00',4);
INSERT INTO charkey VALUES ('ab',1),
  ('a',2),
  ('',3),
  (E'a\tb',4);
INSERT INTO arrkey VALUES ('{}',1),
  ('{NULL}',2),
  ('[0:0]={NULL}',3),
  ('{1,2}',4),
  ('{{1,2}}',5);
INSERT INTO ivkey VALUES ('1 day',1),
  ('1 mon',2),
  ('0',3),
  ('-1 day',4);
INSERT INTO rngkey VALUES ('empty',1),
  ('[1,2)',2),
  ('(,)',3);
INSERT INTO netkey VALUES ('10.0.0.1',1),
  ('10.0.0.1/8',2),
  ('::1',3);
INSERT INTO fkey VALUES ('NaN',1),
  ('-0',2),
  ('Infinity',3),
  ('-Infinity',4),
  (5e-324,5);
INSERT INTO cikey VALUES ('A',1),
  ('b',2),
  ('C',3);
INSERT INTO compkey VALUES (row(1,'a',1.00,null),1),
  (row(null,null,null,null),2);
INSERT INTO timekey VALUES ('24:00:00',1),
  ('00:00',2);
INSERT INTO tzkey VALUES ('24:00:00+00',1),
  ('12:00+02',2),
  ('12:00+01',3);
INSERT INTO bitkey VALUES (b'',1),
  (b'0',2),
  (b'00',3),
  (b'1',4);
