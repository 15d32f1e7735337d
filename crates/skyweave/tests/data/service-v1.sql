-- A database of version 1 with a day's work, as pg_dump --inserts gave it.
SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
CREATE FUNCTION public.audit_never() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only';
END $$;
CREATE FUNCTION public.audit_next() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF NEW.number <> (SELECT COALESCE(MAX(number), 0) + 1 FROM audit) THEN
        RAISE EXCEPTION 'the audit log is append-only: this is not its next row';
    END IF;
    RETURN NEW;
END $$;
SET default_tablespace = '';
SET default_table_access_method = heap;
CREATE TABLE public.audit (
    number bigint NOT NULL,
    body text NOT NULL,
    hash text NOT NULL
);
CREATE TABLE public.meta (
    key text NOT NULL COLLATE pg_catalog."C",
    value text NOT NULL
);
CREATE TABLE public.thing (
    kind text NOT NULL COLLATE pg_catalog."C",
    id text NOT NULL COLLATE pg_catalog."C",
    body text NOT NULL
);
CREATE TABLE public.usage (
    terminal text NOT NULL COLLATE pg_catalog."C",
    period_start bigint NOT NULL,
    down_bytes bigint NOT NULL,
    up_bytes bigint NOT NULL
);
INSERT INTO public.audit VALUES (1, '{"by":"user:1","at":1000000007,"why":"test 1","what":{"put_organisation":{"critical":true,"id":2,"market":"UA","name":"організація 2 \" \\ \u0001"}}}', '4c42ddc55d3329fea79543b947387c3437e1630c5f0198b65e4a7d7f752d7a26');
INSERT INTO public.audit VALUES (2, '{"by":"user:1","at":2000000014,"why":"test 2","what":{"put_organisation":{"critical":false,"id":3,"market":"UA","name":"організація 3 \" \\ \u0001"}}}', '9cdd29e00414e7f22f277c521c551ffb59c9d9e696c431f2a06a7bb2236a5c17');
INSERT INTO public.audit VALUES (3, '{"by":"user:1","at":3000000021,"why":"test 3","what":{"put_account":{"holder":{"person":"passport check 17"},"id":1,"market":"UA","standing":"active","terminal_limit":100}}}', '3e9930b4ff096fbeb4fef180cb6dc7dcdb7cd487bac071699b89418877e59b1e');
INSERT INTO public.audit VALUES (4, '{"by":"user:1","at":4000000028,"why":"test 4","what":{"put_account":{"holder":{"company":2},"id":2,"market":"UA","standing":"active","terminal_limit":100}}}', '9d914ee8bf3cb2acaa467360d16bb66f25d8e0c7ad7c97c4de8f603746949c18');
INSERT INTO public.audit VALUES (5, '{"by":"user:1","at":5000000035,"why":"test 5","what":{"put_list":[1,"Ukraine",{"company":10,"critical":null,"person":1,"person_shown":3}]}}', '4477159fa4230e3aab6c692d45fd3c17ab0809150f2c57effbdecac34ba0501f');
INSERT INTO public.audit VALUES (6, '{"by":"user:1","at":6000000042,"why":"test 6","what":{"put_list":[2,"another",{"company":10,"critical":null,"person":1,"person_shown":3}]}}', 'eab3a1a5a5cc100bc51d2066d2bb8c2aa664c485d8ed24ecb0a4b4d765efd1eb');
INSERT INTO public.audit VALUES (7, '{"by":"user:1","at":7000000049,"why":"test 7","what":{"put_area":{"id":1,"kind":{"kind":"allow_list_required","list":1,"pop":null},"market":"UA","name":"area 1","precedence":10,"shape":[[[[22.1,44.3],[40.2,44.3],[40.2,52.4],[22.1,52.4],[22.1,44.3]]]],"validity":{"from":null,"until":null}}}}', '40d81fbeb34e1634b81e991efe7b53517911169777b35a52a012d3fb7ad6dc15');
INSERT INTO public.audit VALUES (8, '{"by":"user:1","at":8000000056,"why":"test 8","what":{"put_area":{"id":2,"kind":{"kind":"allow_list_required","list":1,"pop":null},"market":"UA","name":"area 2","precedence":10,"shape":[[[[22.1,44.3],[40.2,44.3],[40.2,52.4],[22.1,52.4],[22.1,44.3]]]],"validity":{"from":null,"until":null}}}}', '3f7361f79204a0b8e048c5724024191f8633af870babb1d9e0de0a461a53b6c5');
INSERT INTO public.audit VALUES (9, '{"by":"user:1","at":9000000063,"why":"test 9","what":{"put_plan":{"areas":[1],"at_sea":false,"cap":{"bytes":1099511627776,"then":null},"class":"business","id":1,"mobility":{"class":"nomadic","home_radius_m":0.30000000000000004,"max_speed_m_s":27.77777777777778,"min_height_m":null},"name":"plan 1","priority":3,"rates":{"down_bps":200000000,"up_bps":20000000}}}}', '9069e8ef2fe338c7df351ef03830ac22c85e9ab0485dcd5e18497865784e38e0');
INSERT INTO public.audit VALUES (10, '{"by":"user:1","at":10000000070,"why":"test 10","what":{"add_terminals":{"blake3":"47e00c42231adedeb3b9a410fecd745b64aa639fb9267324205a1ca32a92dd9e","count":40}}}', '1f354d89116bf2339e7e8432f0ece08b28412814baf7d6e1c4546406b6bd3893');
INSERT INTO public.audit VALUES (11, '{"by":"user:1","at":11000000077,"why":"test 11","what":{"action":{"step":["ut01000000-00000000-00000001",{"register":{"account":2}}]},"transitions":[{"after":{"registered":{"account":2,"market":"UA"}},"before":{"sold":{"market":"UA"}},"step":{"register":{"account":2}},"terminal":"ut01000000-00000000-00000001"}]}}', 'e14f1dfb31a07edf364df467b2a94f2d3c7bcda29d56a297e3e053fd016950d7');
INSERT INTO public.audit VALUES (12, '{"by":"user:1","at":12000000084,"why":"test 12","what":{"action":{"step":["ut01000000-00000000-00000001",{"activate":{"place":{"address":{"height_m":0.0,"lat_rad":0.8805203529603914,"lon_rad":0.5327338289032372}},"plan":1}}]},"transitions":[{"after":{"activated":[{"account":2,"market":"UA"},{"place":{"address":{"height_m":0.0,"lat_rad":0.8805203529603914,"lon_rad":0.5327338289032372}},"plan":1}]},"before":{"registered":{"account":2,"market":"UA"}},"step":{"activate":{"place":{"address":{"height_m":0.0,"lat_rad":0.8805203529603914,"lon_rad":0.5327338289032372}},"plan":1}},"terminal":"ut01000000-00000000-00000001"}]}}', '37e19a0d12a21ceee267e78c95e085c824f2191b6bcc861a45834ca85d2d29af');
INSERT INTO public.audit VALUES (13, '{"by":"user:1","at":13000000091,"why":"test 13","what":{"request":[1,1,"ut01000000-00000000-00000001","shown"]}}', '67e9c49309b27d57c7bdd816c757210f2548dbdc3ca7234ac0b89ba41620d57f');
INSERT INTO public.audit VALUES (14, '{"by":"user:1","at":14000000098,"why":"test 14","what":{"action":{"step":["ut01000000-00000000-00000002",{"register":{"account":1}}]},"transitions":[{"after":{"registered":{"account":1,"market":"UA"}},"before":{"sold":{"market":"UA"}},"step":{"register":{"account":1}},"terminal":"ut01000000-00000000-00000002"}]}}', 'ad76254b671268a752019bf46eacf621980e52bd7a41008d1c4582d4e35f4999');
INSERT INTO public.audit VALUES (15, '{"by":"user:1","at":15000000105,"why":"test 15","what":{"action":{"step":["ut01000000-00000000-00000002",{"activate":{"place":{"area":1},"plan":1}}]},"transitions":[{"after":{"activated":[{"account":1,"market":"UA"},{"place":{"area":1},"plan":1}]},"before":{"registered":{"account":1,"market":"UA"}},"step":{"activate":{"place":{"area":1},"plan":1}},"terminal":"ut01000000-00000000-00000002"}]}}', '354fb4d91e3692ab471ed7ade0267bdaf9ac418e7f6ac430af5e956a6b7d44c8');
INSERT INTO public.audit VALUES (16, '{"by":"user:1","at":16000000112,"why":"test 16","what":{"request":[1,2,"ut01000000-00000000-00000002","shown"]}}', 'b728c1259e31df025b3c6be651f2c5ba7e1494e82677b29e3dbdb0206bfbb00c');
INSERT INTO public.audit VALUES (17, '{"by":"user:1","at":17000000119,"why":"test 17","what":{"action":{"step":["ut01000000-00000000-00000003",{"register":{"account":2}}]},"transitions":[{"after":{"registered":{"account":2,"market":"UA"}},"before":{"sold":{"market":"UA"}},"step":{"register":{"account":2}},"terminal":"ut01000000-00000000-00000003"}]}}', '78d253d05a154a594f051637e0636b4c2142b8b7df2db019c61b41d9e6fc6d75');
INSERT INTO public.audit VALUES (18, '{"by":"user:1","at":18000000126,"why":"test 18","what":{"action":{"step":["ut01000000-00000000-00000003",{"activate":{"place":{"area":1},"plan":1}}]},"transitions":[{"after":{"activated":[{"account":2,"market":"UA"},{"place":{"area":1},"plan":1}]},"before":{"registered":{"account":2,"market":"UA"}},"step":{"activate":{"place":{"area":1},"plan":1}},"terminal":"ut01000000-00000000-00000003"}]}}', 'a0e3bf46b9df95454523569e0371203c184b525fb42d80de9a357fdf7e70ab60');
INSERT INTO public.audit VALUES (19, '{"by":"user:1","at":19000000133,"why":"test 19","what":{"request":[1,3,"ut01000000-00000000-00000003","shown"]}}', 'a86c4642253456fd10724b0c3b595294b6e7ca9e13fac6d51bb73ea6144de598');
INSERT INTO public.audit VALUES (20, '{"by":"user:1","at":20000000140,"why":"test 20","what":{"action":{"step":["ut01000000-00000000-00000004",{"register":{"account":1}}]},"transitions":[{"after":{"registered":{"account":1,"market":"UA"}},"before":{"sold":{"market":"UA"}},"step":{"register":{"account":1}},"terminal":"ut01000000-00000000-00000004"}]}}', '94805152795c38eca6bafe63193fc3c80250bac3fcfdb8e56b00f250bec124f2');
INSERT INTO public.audit VALUES (21, '{"by":"user:1","at":21000000147,"why":"test 21","what":{"action":{"step":["ut01000000-00000000-00000004",{"activate":{"place":{"area":1},"plan":1}}]},"transitions":[{"after":{"activated":[{"account":1,"market":"UA"},{"place":{"area":1},"plan":1}]},"before":{"registered":{"account":1,"market":"UA"}},"step":{"activate":{"place":{"area":1},"plan":1}},"terminal":"ut01000000-00000000-00000004"}]}}', '3623c47078d75e4397a54873cf60e02997bf9627bda5f7dc67850b3c4fe0f549');
INSERT INTO public.audit VALUES (22, '{"by":"user:1","at":22000000154,"why":"test 22","what":{"request":[1,4,"ut01000000-00000000-00000004","shown"]}}', '8f6c3be6e59b1779efe916c2f09c15eb1bcba1b4fe3359285a540a29c227bd6e');
INSERT INTO public.audit VALUES (23, '{"by":"user:1","at":23000000161,"why":"test 23","what":{"action":{"step":["ut01000000-00000000-00000005",{"register":{"account":2}}]},"transitions":[{"after":{"registered":{"account":2,"market":"UA"}},"before":{"sold":{"market":"UA"}},"step":{"register":{"account":2}},"terminal":"ut01000000-00000000-00000005"}]}}', '246afc18dbb24d0e0a7bd2cf7ba1be26972c0c1b1837e93f161753005d3830e2');
INSERT INTO public.audit VALUES (24, '{"by":"user:1","at":24000000168,"why":"test 24","what":{"action":{"step":["ut01000000-00000000-00000005",{"activate":{"place":{"area":1},"plan":1}}]},"transitions":[{"after":{"activated":[{"account":2,"market":"UA"},{"place":{"area":1},"plan":1}]},"before":{"registered":{"account":2,"market":"UA"}},"step":{"activate":{"place":{"area":1},"plan":1}},"terminal":"ut01000000-00000000-00000005"}]}}', '362c01ed82005a2d52d76b6d8fafd1f5daccec7a8debb51e29a2b67aed5a6996');
INSERT INTO public.audit VALUES (25, '{"by":"user:1","at":25000000175,"why":"test 25","what":{"request":[1,5,"ut01000000-00000000-00000005","shown"]}}', 'c2e0dd0c6f1a305e42e840b2e1548a5ec468744056e70ec8ef391f97029e536e');
INSERT INTO public.audit VALUES (26, '{"by":"user:1","at":26000000182,"why":"test 26","what":{"action":{"step":["ut01000000-00000000-00000006",{"register":{"account":1}}]},"transitions":[{"after":{"registered":{"account":1,"market":"UA"}},"before":{"sold":{"market":"UA"}},"step":{"register":{"account":1}},"terminal":"ut01000000-00000000-00000006"}]}}', '636babf415358b1e625dd33603f10967223b4d64446acfd76a903881239f7aa3');
INSERT INTO public.audit VALUES (27, '{"by":"user:1","at":27000000189,"why":"test 27","what":{"action":{"step":["ut01000000-00000000-00000006",{"activate":{"place":{"area":1},"plan":1}}]},"transitions":[{"after":{"activated":[{"account":1,"market":"UA"},{"place":{"area":1},"plan":1}]},"before":{"registered":{"account":1,"market":"UA"}},"step":{"activate":{"place":{"area":1},"plan":1}},"terminal":"ut01000000-00000000-00000006"}]}}', '42140619cac2eb2c8de742e734fbb0a0f1631921ded1b07b4ad1bc1e5988585e');
INSERT INTO public.audit VALUES (28, '{"by":"user:1","at":28000000196,"why":"test 28","what":{"request":[1,6,"ut01000000-00000000-00000006","shown"]}}', 'fe9881d8bc80df5df8ebc5070cb69f9883b28a56b1762daa2143024538aa2ad9');
INSERT INTO public.audit VALUES (29, '{"by":"user:1","at":29000000203,"why":"test 29","what":{"approve":[1,1]}}', '5a7f7fab814b25afab4e98ef512737d995bc34c840d829321b65a36e926e022c');
INSERT INTO public.audit VALUES (30, '{"by":"user:1","at":30000000210,"why":"test 30","what":{"approve":[1,2]}}', '982a98b7c211205e1551ebd5526a8d649df360664cdfc7547048b7eaab835f29');
INSERT INTO public.audit VALUES (31, '{"by":"user:1","at":31000000217,"why":"test 31","what":{"approve":[1,3]}}', '9b54fa236192a69376d4862f73471437b603b45511a9364122cc6a0cb0c81310');
INSERT INTO public.audit VALUES (32, '{"by":"user:1","at":32000000224,"why":"test 32","what":{"reject":[1,4]}}', 'a158de0f108cee1199719e808e126e1cca9a5b26e537862bf39ede142bac23a5');
INSERT INTO public.audit VALUES (33, '{"by":"user:1","at":33000000231,"why":"test 33","what":{"unlist":[1,"ut01000000-00000000-00000002"]}}', '75e26b4c93741e7484907e4cf39813ea19ac9a667e4f6570a2d941553e5ccf84');
INSERT INTO public.audit VALUES (34, '{"by":"user:1","at":34000000238,"why":"test 34","what":{"action":{"step":["ut01000000-00000000-00000003","release"]},"transitions":[{"after":{"sold":{"market":"UA"}},"before":{"activated":[{"account":2,"market":"UA"},{"place":{"area":1},"plan":1}]},"step":"release","terminal":"ut01000000-00000000-00000003"}]}}', 'a293901e340db2b8ad35170529a9947a380e7e61bae14ec47ad0f0911bebe559');
INSERT INTO public.audit VALUES (35, '{"by":"user:1","at":35000000245,"why":"test 35","what":{"put_list":[1,"Ukraine, renamed",{"company":10,"critical":null,"person":1,"person_shown":3}]}}', 'ccea30eebccbd06db7f7acb0cf8be943e104e82a32e7708b72537a8e8ffd6e30');
INSERT INTO public.audit VALUES (36, '{"by":"user:1","at":36000000252,"why":"test 36","what":{"deny":{"terminal":"ut01000000-00000000-00000005"}}}', '098c529e78b6f732ddb5abc184bb6590e80cfe45c9aaf9edbafd3acd4c1d7ef7');
INSERT INTO public.audit VALUES (37, '{"by":"user:1","at":37000000259,"why":"test 37","what":{"deny":{"account":2}}}', 'e519a116d047930c05b2d384cbc29beac25b638b3a038a34758951ea6263ee90');
INSERT INTO public.audit VALUES (38, '{"by":"user:1","at":38000000266,"why":"test 38","what":{"undeny":{"account":2}}}', '65b464567e747c8c906926e2581e8288e586be27bea4be15d60c136dbea13774');
INSERT INTO public.audit VALUES (39, '{"by":"user:1","at":39000000273,"why":"test 39","what":{"set_validity":[[1,2],{"from":1,"until":9223372036854775807}]}}', '294e4344f11438572c5d8d66eed6a919739b4a25f49dd38d3d0daa78ef62d351');
INSERT INTO public.audit VALUES (40, '{"by":"user:1","at":40000000280,"why":"test 40","what":{"remove_area":2}}', '994fa5d4958fa31e6984d45c09c30edc9ff342127fa5790c41f0d16e92b4b515');
INSERT INTO public.audit VALUES (41, '{"by":"user:1","at":41000000287,"why":"test 41","what":{"set_defaults":{"elsewhere":"open","oldest_software":9}}}', '3749a221ec0cd5dc8deb3f2c55e41b24f243abb64177a4954e3b524502609032');
INSERT INTO public.audit VALUES (42, '{"by":"user:1","at":42000000294,"why":"test 42","what":{"open_incident":{"at":6,"evidence":[{"two_sessions":{"apart_m":123456.78901234567,"at":5}}],"id":1,"kind":"key_in_two_places","proposal":"cut_off","state":"open","terminals":["ut01000000-00000000-00000004"]}}}', '146a85d87b68badee69916681a4d2c6743f53b188511f11b1f83b9b55da92f16');
INSERT INTO public.audit VALUES (43, '{"by":"user:1","at":43000000301,"why":"test 43","what":{"action":{"cut_off":1},"transitions":[{"after":{"blocked":{"activated":[{"account":1,"market":"UA"},{"place":{"area":1},"plan":1}]}},"before":{"activated":[{"account":1,"market":"UA"},{"place":{"area":1},"plan":1}]},"step":"block","terminal":"ut01000000-00000000-00000004"}]}}', 'f9b0988f884876d333be804febb9fe6431cd9289c3b64258a513c0f7a30a2162');
INSERT INTO public.audit VALUES (44, '{"by":"user:1","at":44000000308,"why":"test 44","what":{"appeal":1}}', 'f1f7ae858884e8835482df1c16b76f48825e68870b4f343a67552d7d7e118833');
INSERT INTO public.audit VALUES (45, '{"by":"user:1","at":45000000315,"why":"test 45","what":{"action":{"restore":1},"transitions":[{"after":{"activated":[{"account":1,"market":"UA"},{"place":{"area":1},"plan":1}]},"before":{"blocked":{"activated":[{"account":1,"market":"UA"},{"place":{"area":1},"plan":1}]}},"step":"restore","terminal":"ut01000000-00000000-00000004"}]}}', '08ddee0542da9b0569af9efb3459727b71dec3db6deb95bba41c124bb3a80e1f');
INSERT INTO public.audit VALUES (46, '{"by":"user:1","at":46000000322,"why":"test 46","what":{"set_automatic":["key_in_two_places","batch_cluster"]}}', 'f3c6086d0107cc8dcfde8c2f59eb65f2b2387bd8e5451d0621adbb1082dd1cbb');
INSERT INTO public.audit VALUES (47, '{"by":"user:1","at":47000000329,"why":"test 47","what":{"action":{"open_incident":{"at":6,"evidence":[{"two_sessions":{"apart_m":123456.78901234567,"at":5}}],"id":2,"kind":"key_in_two_places","proposal":"cut_off","state":"open","terminals":["ut01000000-00000000-00000005"]}},"transitions":[{"after":{"blocked":{"activated":[{"account":2,"market":"UA"},{"place":{"area":1},"plan":1}]}},"before":{"activated":[{"account":2,"market":"UA"},{"place":{"area":1},"plan":1}]},"step":"block","terminal":"ut01000000-00000000-00000005"}]}}', '0b481e8d0d3d5d142036b54dee5be5cb20fc7d769f4868a810c165af1f9716fd');
INSERT INTO public.audit VALUES (48, '{"by":"user:1","at":48000000336,"why":"test 48","what":{"open_incident":{"at":6,"evidence":[{"two_sessions":{"apart_m":123456.78901234567,"at":5}}],"id":3,"kind":"out_of_market","proposal":"cut_off","state":"open","terminals":["ut01000000-00000000-00000006"]}}}', '8a2ef3d8c2eb47accf42896f666a522d1216bd242cf82a46512deb5288ff945f');
INSERT INTO public.audit VALUES (49, '{"by":"user:1","at":49000000343,"why":"test 49","what":{"dismiss":3}}', '7c7f0b2e1136b10cbee005d6644d31d9db0fbc4cf30ca6ed03fe615c7141c3ce');
INSERT INTO public.audit VALUES (50, '{"by":"user:1","at":50000000350,"why":"test 50","what":{"note_location_read":"ut01000000-00000000-00000001"}}', '399952508364f6370615709c4c46870a9cac0b0da4e96a8c17530e1f4e6d6caf');
INSERT INTO public.audit VALUES (51, '{"by":"user:1","at":51000000357,"why":"test 51","what":{"action":{"step":["ut01000000-00000000-00000028","retire"]},"transitions":[{"after":"retired","before":{"sold":{"market":"UA"}},"step":"retire","terminal":"ut01000000-00000000-00000028"}]}}', '6450abaebe913b177730f20b627c988fb4a1aa89e965838098965b3a46aab84a');
INSERT INTO public.meta VALUES ('version', '1');
INSERT INTO public.thing VALUES ('organisation', '2', '{"id":2,"name":"організація 2 \" \\ \u0001","market":"UA","critical":true}');
INSERT INTO public.thing VALUES ('organisation', '3', '{"id":3,"name":"організація 3 \" \\ \u0001","market":"UA","critical":false}');
INSERT INTO public.thing VALUES ('account', '1', '{"id":1,"holder":{"person":"passport check 17"},"market":"UA","standing":"active","terminal_limit":100}');
INSERT INTO public.thing VALUES ('list', '2', '["another",{"person":1,"person_shown":3,"company":10,"critical":null}]');
INSERT INTO public.thing VALUES ('plan', '1', '{"id":1,"name":"plan 1","rates":{"down_bps":200000000,"up_bps":20000000},"cap":{"bytes":1099511627776,"then":null},"priority":3,"class":"business","mobility":{"class":"nomadic","max_speed_m_s":27.77777777777778,"home_radius_m":0.30000000000000004,"min_height_m":null},"areas":[1],"at_sea":false}');
INSERT INTO public.thing VALUES ('terminal', 'ut01000000-00000000-00000007', '{"id":"ut01000000-00000000-00000007","key":"0700000007070707070707070707070707070707070707070707070707070707","model":"rev4","batch":0,"state":{"sold":{"market":"UA"}}}');
INSERT INTO public.thing VALUES ('terminal', 'ut01000000-00000000-00000008', '{"id":"ut01000000-00000000-00000008","key":"0800000007070707070707070707070707070707070707070707070707070707","model":"rev4","batch":0,"state":{"sold":{"market":"UA"}}}');
INSERT INTO public.thing VALUES ('terminal', 'ut01000000-00000000-00000009', '{"id":"ut01000000-00000000-00000009","key":"0900000007070707070707070707070707070707070707070707070707070707","model":"rev4","batch":0,"state":{"sold":{"market":"UA"}}}');
INSERT INTO public.thing VALUES ('terminal', 'ut01000000-00000000-0000000a', '{"id":"ut01000000-00000000-0000000a","key":"0a00000007070707070707070707070707070707070707070707070707070707","model":"rev4","batch":0,"state":{"sold":{"market":"UA"}}}');
INSERT INTO public.thing VALUES ('terminal', 'ut01000000-00000000-0000000b', '{"id":"ut01000000-00000000-0000000b","key":"0b00000007070707070707070707070707070707070707070707070707070707","model":"rev4","batch":0,"state":{"sold":{"market":"UA"}}}');
INSERT INTO public.thing VALUES ('terminal', 'ut01000000-00000000-0000000c', '{"id":"ut01000000-00000000-0000000c","key":"0c00000007070707070707070707070707070707070707070707070707070707","model":"rev4","batch":0,"state":{"sold":{"market":"UA"}}}');
INSERT INTO public.thing VALUES ('terminal', 'ut01000000-00000000-0000000d', '{"id":"ut01000000-00000000-0000000d","key":"0d00000007070707070707070707070707070707070707070707070707070707","model":"rev4","batch":0,"state":{"sold":{"market":"UA"}}}');
INSERT INTO public.thing VALUES ('terminal', 'ut01000000-00000000-0000000e', '{"id":"ut01000000-00000000-0000000e","key":"0e00000007070707070707070707070707070707070707070707070707070707","model":"rev4","batch":0,"state":{"sold":{"market":"UA"}}}');
INSERT INTO public.thing VALUES ('terminal', 'ut01000000-00000000-0000000f', '{"id":"ut01000000-00000000-0000000f","key":"0f00000007070707070707070707070707070707070707070707070707070707","model":"rev4","batch":0,"state":{"sold":{"market":"UA"}}}');
INSERT INTO public.thing VALUES ('terminal', 'ut01000000-00000000-00000010', '{"id":"ut01000000-00000000-00000010","key":"1000000007070707070707070707070707070707070707070707070707070707","model":"rev4","batch":0,"state":{"sold":{"market":"UA"}}}');
INSERT INTO public.thing VALUES ('terminal', 'ut01000000-00000000-00000011', '{"id":"ut01000000-00000000-00000011","key":"1100000007070707070707070707070707070707070707070707070707070707","model":"rev4","batch":0,"state":{"sold":{"market":"UA"}}}');
INSERT INTO public.thing VALUES ('terminal', 'ut01000000-00000000-00000012', '{"id":"ut01000000-00000000-00000012","key":"1200000007070707070707070707070707070707070707070707070707070707","model":"rev4","batch":0,"state":{"sold":{"market":"UA"}}}');
INSERT INTO public.thing VALUES ('terminal', 'ut01000000-00000000-00000013', '{"id":"ut01000000-00000000-00000013","key":"1300000007070707070707070707070707070707070707070707070707070707","model":"rev4","batch":0,"state":{"sold":{"market":"UA"}}}');
INSERT INTO public.thing VALUES ('terminal', 'ut01000000-00000000-00000014', '{"id":"ut01000000-00000000-00000014","key":"1400000007070707070707070707070707070707070707070707070707070707","model":"rev4","batch":0,"state":{"sold":{"market":"UA"}}}');
INSERT INTO public.thing VALUES ('terminal', 'ut01000000-00000000-00000015', '{"id":"ut01000000-00000000-00000015","key":"1500000007070707070707070707070707070707070707070707070707070707","model":"rev4","batch":0,"state":{"sold":{"market":"UA"}}}');
INSERT INTO public.thing VALUES ('terminal', 'ut01000000-00000000-00000016', '{"id":"ut01000000-00000000-00000016","key":"1600000007070707070707070707070707070707070707070707070707070707","model":"rev4","batch":0,"state":{"sold":{"market":"UA"}}}');
INSERT INTO public.thing VALUES ('terminal', 'ut01000000-00000000-00000017', '{"id":"ut01000000-00000000-00000017","key":"1700000007070707070707070707070707070707070707070707070707070707","model":"rev4","batch":0,"state":{"sold":{"market":"UA"}}}');
INSERT INTO public.thing VALUES ('terminal', 'ut01000000-00000000-00000018', '{"id":"ut01000000-00000000-00000018","key":"1800000007070707070707070707070707070707070707070707070707070707","model":"rev4","batch":0,"state":{"sold":{"market":"UA"}}}');
INSERT INTO public.thing VALUES ('terminal', 'ut01000000-00000000-00000019', '{"id":"ut01000000-00000000-00000019","key":"1900000007070707070707070707070707070707070707070707070707070707","model":"rev4","batch":0,"state":{"sold":{"market":"UA"}}}');
INSERT INTO public.thing VALUES ('terminal', 'ut01000000-00000000-0000001a', '{"id":"ut01000000-00000000-0000001a","key":"1a00000007070707070707070707070707070707070707070707070707070707","model":"rev4","batch":0,"state":{"sold":{"market":"UA"}}}');
INSERT INTO public.thing VALUES ('list', '1', '["Ukraine, renamed",{"person":1,"person_shown":3,"company":10,"critical":null}]');
INSERT INTO public.thing VALUES ('area', '1', '{"id":1,"name":"area 1","market":"UA","kind":{"kind":"allow_list_required","list":1,"pop":null},"precedence":10,"validity":{"from":1,"until":9223372036854775807},"shape":[[[[22.1,44.3],[40.2,44.3],[40.2,52.4],[22.1,52.4],[22.1,44.3]]]]}');
INSERT INTO public.thing VALUES ('account', '2', '{"id":2,"holder":{"company":2},"market":"UA","standing":"active","terminal_limit":100}');
INSERT INTO public.thing VALUES ('terminal', 'ut01000000-00000000-00000002', '{"id":"ut01000000-00000000-00000002","key":"0200000007070707070707070707070707070707070707070707070707070707","model":"rev4","batch":0,"state":{"activated":[{"market":"UA","account":1},{"plan":1,"place":{"area":1}}]}}');
INSERT INTO public.thing VALUES ('terminal', 'ut01000000-00000000-00000004', '{"id":"ut01000000-00000000-00000004","key":"0400000007070707070707070707070707070707070707070707070707070707","model":"rev4","batch":0,"state":{"activated":[{"market":"UA","account":1},{"plan":1,"place":{"area":1}}]}}');
INSERT INTO public.thing VALUES ('terminal', 'ut01000000-00000000-00000006', '{"id":"ut01000000-00000000-00000006","key":"0600000007070707070707070707070707070707070707070707070707070707","model":"rev4","batch":0,"state":{"activated":[{"market":"UA","account":1},{"plan":1,"place":{"area":1}}]}}');
INSERT INTO public.thing VALUES ('terminal', 'ut01000000-00000000-00000003', '{"id":"ut01000000-00000000-00000003","key":"0300000007070707070707070707070707070707070707070707070707070707","model":"rev4","batch":0,"state":{"sold":{"market":"UA"}}}');
INSERT INTO public.thing VALUES ('terminal', 'ut01000000-00000000-0000001b', '{"id":"ut01000000-00000000-0000001b","key":"1b00000007070707070707070707070707070707070707070707070707070707","model":"rev4","batch":0,"state":{"sold":{"market":"UA"}}}');
INSERT INTO public.thing VALUES ('terminal', 'ut01000000-00000000-0000001c', '{"id":"ut01000000-00000000-0000001c","key":"1c00000007070707070707070707070707070707070707070707070707070707","model":"rev4","batch":0,"state":{"sold":{"market":"UA"}}}');
INSERT INTO public.thing VALUES ('terminal', 'ut01000000-00000000-0000001d', '{"id":"ut01000000-00000000-0000001d","key":"1d00000007070707070707070707070707070707070707070707070707070707","model":"rev4","batch":0,"state":{"sold":{"market":"UA"}}}');
INSERT INTO public.thing VALUES ('terminal', 'ut01000000-00000000-0000001e', '{"id":"ut01000000-00000000-0000001e","key":"1e00000007070707070707070707070707070707070707070707070707070707","model":"rev4","batch":0,"state":{"sold":{"market":"UA"}}}');
INSERT INTO public.thing VALUES ('terminal', 'ut01000000-00000000-0000001f', '{"id":"ut01000000-00000000-0000001f","key":"1f00000007070707070707070707070707070707070707070707070707070707","model":"rev4","batch":0,"state":{"sold":{"market":"UA"}}}');
INSERT INTO public.thing VALUES ('terminal', 'ut01000000-00000000-00000020', '{"id":"ut01000000-00000000-00000020","key":"2000000007070707070707070707070707070707070707070707070707070707","model":"rev4","batch":0,"state":{"sold":{"market":"UA"}}}');
INSERT INTO public.thing VALUES ('terminal', 'ut01000000-00000000-00000021', '{"id":"ut01000000-00000000-00000021","key":"2100000007070707070707070707070707070707070707070707070707070707","model":"rev4","batch":0,"state":{"sold":{"market":"UA"}}}');
INSERT INTO public.thing VALUES ('terminal', 'ut01000000-00000000-00000022', '{"id":"ut01000000-00000000-00000022","key":"2200000007070707070707070707070707070707070707070707070707070707","model":"rev4","batch":0,"state":{"sold":{"market":"UA"}}}');
INSERT INTO public.thing VALUES ('terminal', 'ut01000000-00000000-00000023', '{"id":"ut01000000-00000000-00000023","key":"2300000007070707070707070707070707070707070707070707070707070707","model":"rev4","batch":0,"state":{"sold":{"market":"UA"}}}');
INSERT INTO public.thing VALUES ('terminal', 'ut01000000-00000000-00000024', '{"id":"ut01000000-00000000-00000024","key":"2400000007070707070707070707070707070707070707070707070707070707","model":"rev4","batch":0,"state":{"sold":{"market":"UA"}}}');
INSERT INTO public.thing VALUES ('terminal', 'ut01000000-00000000-00000025', '{"id":"ut01000000-00000000-00000025","key":"2500000007070707070707070707070707070707070707070707070707070707","model":"rev4","batch":0,"state":{"sold":{"market":"UA"}}}');
INSERT INTO public.thing VALUES ('terminal', 'ut01000000-00000000-00000026', '{"id":"ut01000000-00000000-00000026","key":"2600000007070707070707070707070707070707070707070707070707070707","model":"rev4","batch":0,"state":{"sold":{"market":"UA"}}}');
INSERT INTO public.thing VALUES ('terminal', 'ut01000000-00000000-00000027', '{"id":"ut01000000-00000000-00000027","key":"2700000007070707070707070707070707070707070707070707070707070707","model":"rev4","batch":0,"state":{"sold":{"market":"UA"}}}');
INSERT INTO public.thing VALUES ('request', '1/5', '[1,5,{"terminal":"ut01000000-00000000-00000005","account":2,"seen":"shown","at":25000000175,"state":"pending"}]');
INSERT INTO public.thing VALUES ('request', '1/6', '[1,6,{"terminal":"ut01000000-00000000-00000006","account":1,"seen":"shown","at":28000000196,"state":"pending"}]');
INSERT INTO public.thing VALUES ('entry', '1/ut01000000-00000000-00000001', '[1,"ut01000000-00000000-00000001",{"account":2,"request":1}]');
INSERT INTO public.thing VALUES ('request', '1/1', '[1,1,{"terminal":"ut01000000-00000000-00000001","account":2,"seen":"shown","at":13000000091,"state":"approved"}]');
INSERT INTO public.thing VALUES ('terminal', 'ut01000000-00000000-00000001', '{"id":"ut01000000-00000000-00000001","key":"0100000007070707070707070707070707070707070707070707070707070707","model":"rev4","batch":0,"state":{"activated":[{"market":"UA","account":2},{"plan":1,"place":{"address":{"lat_rad":0.8805203529603914,"lon_rad":0.5327338289032372,"height_m":0.0}}}]}}');
INSERT INTO public.thing VALUES ('request', '1/2', '[1,2,{"terminal":"ut01000000-00000000-00000002","account":1,"seen":"shown","at":16000000112,"state":"approved"}]');
INSERT INTO public.thing VALUES ('request', '1/3', '[1,3,{"terminal":"ut01000000-00000000-00000003","account":2,"seen":"shown","at":19000000133,"state":"approved"}]');
INSERT INTO public.thing VALUES ('request', '1/4', '[1,4,{"terminal":"ut01000000-00000000-00000004","account":1,"seen":"shown","at":22000000154,"state":"rejected"}]');
INSERT INTO public.thing VALUES ('denied', 'terminal/ut01000000-00000000-00000005', '{"terminal":"ut01000000-00000000-00000005"}');
INSERT INTO public.thing VALUES ('incident', '3', '{"id":3,"at":6,"kind":"out_of_market","terminals":["ut01000000-00000000-00000006"],"evidence":[{"two_sessions":{"at":5,"apart_m":123456.78901234567}}],"proposal":"cut_off","state":"dismissed"}');
INSERT INTO public.thing VALUES ('terminal', 'ut01000000-00000000-00000028', '{"id":"ut01000000-00000000-00000028","key":"2800000007070707070707070707070707070707070707070707070707070707","model":"rev4","batch":0,"state":"retired"}');
INSERT INTO public.thing VALUES ('incident', '1', '{"id":1,"at":6,"kind":"key_in_two_places","terminals":["ut01000000-00000000-00000004"],"evidence":[{"two_sessions":{"at":5,"apart_m":123456.78901234567}}],"proposal":"cut_off","state":"restored"}');
INSERT INTO public.thing VALUES ('setting', 'defaults', '{"elsewhere":"open","oldest_software":9}');
INSERT INTO public.thing VALUES ('setting', 'automatic', '["key_in_two_places","batch_cluster"]');
INSERT INTO public.thing VALUES ('terminal', 'ut01000000-00000000-00000005', '{"id":"ut01000000-00000000-00000005","key":"0500000007070707070707070707070707070707070707070707070707070707","model":"rev4","batch":0,"state":{"blocked":{"activated":[{"market":"UA","account":2},{"plan":1,"place":{"area":1}}]}}}');
INSERT INTO public.thing VALUES ('incident', '2', '{"id":2,"at":6,"kind":"key_in_two_places","terminals":["ut01000000-00000000-00000005"],"evidence":[{"two_sessions":{"at":5,"apart_m":123456.78901234567}}],"proposal":"cut_off","state":"cut_off"}');
INSERT INTO public.usage VALUES ('ut01000000-00000000-00000001', 9, 12345, 6);
ALTER TABLE ONLY public.audit
    ADD CONSTRAINT audit_pkey PRIMARY KEY (number);
ALTER TABLE ONLY public.meta
    ADD CONSTRAINT meta_pkey PRIMARY KEY (key);
ALTER TABLE ONLY public.thing
    ADD CONSTRAINT thing_pkey PRIMARY KEY (kind, id);
ALTER TABLE ONLY public.usage
    ADD CONSTRAINT usage_pkey PRIMARY KEY (terminal, period_start);
CREATE TRIGGER audit_appends BEFORE INSERT ON public.audit FOR EACH ROW EXECUTE FUNCTION public.audit_next();
CREATE TRIGGER audit_keeps BEFORE DELETE OR UPDATE OR TRUNCATE ON public.audit FOR EACH STATEMENT EXECUTE FUNCTION public.audit_never();
