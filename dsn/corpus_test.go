package dsn_test

// corpus holds connection strings, good and bad, which feed the unit test, the
// fuzz seeds and the comparison with libpq.
var corpus = []string{
	// Keyword/value strings.
	"", " ", "\t\n", "host=localhost", "host = localhost", "host= localhost", "host =localhost",
	"  host=localhost  ", "host=localhost port=5432 dbname=shop user=anna password=pw",
	"host\t=\nlocalhost\vport\f=\r5432", "host=a host=b", "host='a b'", "host=''", "host=", "host= port=1",
	"host=\tport=1", "user='it\\'s'", "user=it\\'s", "user='a\\\\b'", "user=a\\\\b", "user=a\\ b", "user=a\\",
	"user='a\\", "user='a", "user='", "user=''''", "user='a''b'", "user='a'port=1", "user='a' port=1",
	"user=a'b'", "user=a'b", "user", "user port=1", "user port", "=", "=x", " = x", "user==x", "user='=x'", "user=x=y",
	"nosuch=1", "nosuch", "nosuch=", "Host=x", "HOST=x", "host=x nosuch=1", "host=x;port=1", "host=x,port=1",
	"password='pass word'", "password=pass word", "password='un terminated", "password=p\\'q", "password=''",
	"password='a'b'", "password=a;b", "password=a&b=c", "password=\"quoted\"", "password=höß", "password='\xff\xfe'",
	"options='-c geqo=off'", "options=-c\\ geqo=off", "options='-c statement_timeout=5min -c work_mem=64MB'", "options=",
	"host=/var/run/postgresql", "host=@abstract", "host=/tmp,/var/run", "host=a,b,c port=1,2,3", "host=a,b port=1,2,3",
	"host=a,,c", "host=, port=,", "hostaddr=127.0.0.1", "hostaddr=::1", "hostaddr=1.2.3.4,5.6.7.8 host=a,b",
	"hostaddr=not-an-address", "host=::1", "host=[::1]", "host=fe80::1%eth0", "port=0", "port=65536", "port=-1", "port=abc",
	"port='5 432'", "port=' 5432 '", "port=", "sslmode=disable", "sslmode=allow", "sslmode=prefer", "sslmode=require",
	"sslmode=verify-ca", "sslmode=verify-full", "sslmode=nonsense", "sslmode=", "sslmode=REQUIRE", "requiressl=1",
	"requiressl=0", "requiressl=", "requiressl=yes", "requiressl=10", "requiressl=1 sslmode=disable",
	"sslmode=disable requiressl=1", "ssl=true", "ssl=1", "connect_timeout=10", "connect_timeout=1", "connect_timeout=-5",
	"connect_timeout=soon", "connect_timeout=99999999999", "application_name='my app'", "fallback_application_name=fb",
	"client_encoding=auto", "client_encoding=UTF8", "keepalives=0 keepalives_idle=1 keepalives_interval=2 keepalives_count=3",
	"tcp_user_timeout=1000", "replication=database", "replication=true", "target_session_attrs=read-write",
	"target_session_attrs=prefer-standby", "target_session_attrs=nonsense", "channel_binding=require", "channel_binding=maybe",
	"gssencmode=disable", "krbsrvname=pg", "gsslib=gssapi", "service=shop", "service=", "passfile=/dev/null", "requirepeer=postgres",
	"sslcert=/c sslkey=/k sslpassword=secret sslrootcert=/r sslcrl=/l sslcrldir=/d sslsni=0 sslcompression=1",
	"sslrootcert=system", "ssl_min_protocol_version=TLSv1.3 ssl_max_protocol_version=TLSv1.2", "ssl_min_protocol_version=SSLv3",
	"dbname=postgres://host/db", "dbname='host=x'", "dbname=a=b", "dbname='a b' user=c", "tty=x", "authtype=x", "authuser=x",
	"sslnegotiation=direct", "sslnegotiation=postgres", "require_auth=scram-sha-256", "require_auth=!password,!md5",
	"load_balance_hosts=random", "sslcertmode=disable", "gssdelegation=1", "sslkeylogfile=/tmp/keys",
	"min_protocol_version=3.0", "max_protocol_version=latest", "scram_client_key=AAAA", "scram_server_key=AAAA",
	"oauth_issuer=https://example.org", "oauth_client_id=x", "oauth_client_secret=y", "oauth_scope=openid",
	"a\\=b", "us\\er=x", "'user'=x", "user='a'\tport\t=\t'1'", "user=\\", "user=\\\\", "user= \\ x", "#user=x", "user=x #port=1",

	// URIs: the scheme and the credentials.
	"postgres://", "postgresql://", "postgres:///", "postgres:", "postgres:/", "postgres:/x", "Postgres://h", "POSTGRESQL://h",
	" postgres://h", "postgres://h ", "mysql://h", "postgres//h", "postgresql+ssl://h", "://h", "http://h/db?x=y",
	"postgres://localhost", "postgresql://localhost", "postgres://localhost/", "postgres://localhost/shop",
	"postgres://localhost:5433", "postgres://localhost:5433/shop", "postgres://anna@localhost/shop",
	"postgres://anna:pw@localhost/shop", "postgres://anna:pw@localhost:5433/shop?application_name=x", "postgres://anna:@localhost",
	"postgres://:pw@localhost", "postgres://:@localhost", "postgres://@localhost", "postgres://@", "postgres://:@", "postgres://:",
	"postgres://anna:p%40ss%3Aw%2Ford@localhost/shop", "postgres://anna:p:w@localhost", "postgres://anna:pw@", "postgres://anna:pw@/shop",
	"postgres://user:p@ss:word@host/db", "postgres://user:p@ss@host/db", "postgres://user:pa/ss@host/db", "postgres://user:pa?ss@host/db",
	"postgres://user:pa#ss@host/db", "postgres://user:12/34@host/db", "postgres://user:secret", "postgres://user:secret/db", "postgres://us%65r@h",
	"postgres://a b@h", "postgres://a+b@h/c+d", "postgres://u:p%@h", "postgres://u:p%4@h", "postgres://u:p%zz@h", "postgres://u:p%00@h",
	"postgres://u%00@h", "postgres://u:%70%77@h", "postgres://u:%C3%A9@h", "postgres://u:%ff@h", "postgres://u:é@h",
	"postgres://u:%2@h", "postgres://u:%@h", "postgres://u:%%41@h", "postgres://u:%2541@h", "postgres://u:% 41@h", "postgres://u:%+1@h",

	// URIs: hosts and ports.
	"postgres://a,b,c", "postgres://a:1,b:2,c:3/db", "postgres://a:1,b,c:3/db", "postgres://a,b:2/db", "postgres://,", "postgres://a,",
	"postgres://,b", "postgres://:1,:2", "postgres://u@a:1,b:2", "postgres://[::1]", "postgres://[::1]:5433/db", "postgres://u:p@[::1]:5433/db",
	"postgres://[::1],[::2]:2/db", "postgres://[::1],h:3", "postgres://[]", "postgres://[]:1", "postgres://[::1", "postgres://[",
	"postgres://[::1]x", "postgres://[::1]x/db", "postgres://[::1]/", "postgres://[::1]?host=x", "postgres://[fe80::1%25eth0]", "postgres://[fe80::1%eth0]/db",
	"postgres://[a/b]:1", "postgres://[a,b]:1", "postgres://[a@b]/c", "postgres://[::1]]", "postgres://a[::1]", "postgres://::1", "postgres://h:1:2",
	"postgres://h:", "postgres://h:/db", "postgres://h:x", "postgres://h:5432x/db", "postgres://h:%35", "postgres://h:%zz", "postgres://h:-1", "postgres://h:99999",
	"postgres://%2Fvar%2Frun%2Fpostgresql", "postgres://%2Fvar%2Frun%2Fpostgresql:5433/db", "postgres://%2ftmp,h/db", "postgres://%40abstract/db",
	"postgres:///db?host=/tmp", "postgres:///db?host=/tmp&port=1", "postgres://u@/db?host=%2Ftmp", "postgres://a%2Cb:1/db", "postgres://a%2Cb,c",
	"postgres://h%00", "postgres://h%", "postgres://h%zz/db", "postgres://h#x", "postgres://u@@h", "postgres://u@h@", "postgres://u:p@h1:1,h2@x:2/db",

	// URIs: database and parameters.
	"postgres:///shop", "postgres://h//shop", "postgres://h/a/b", "postgres://h/a%2Fb", "postgres://h/a%00", "postgres://h/a%", "postgres://h/%20", "postgres://h/a b",
	"postgres://h/a@b", "postgres://h:1/a@b", "postgres://u@h/a@b", "postgres://h?", "postgres://h/?", "postgres://?", "postgres://h/db?", "postgres://h?dbname=x", "postgres://h/db?dbname=x",
	"postgres://h?sslmode=require", "postgres://h/db?sslmode=require&connect_timeout=10", "postgres://h/db?&", "postgres://h/db?a", "postgres://h/db?=", "postgres://h/db?=x",
	"postgres://h/db?user", "postgres://h/db?user=", "postgres://h/db?user=a&", "postgres://h/db?user=a&&port=1", "postgres://h/db?user=a=b", "postgres://h/db?user=a%3Db",
	"postgres://h/db?user==", "postgres://h/db?nosuch=x", "postgres://h/db?nosuch", "postgres://h/db?User=x", "postgres://h/db?ssl=true", "postgres://h/db?ssl=false",
	"postgres://h/db?ssl=1", "postgres://h/db?ssl=True", "postgres://h/db?ssl", "postgres://h/db?ssl=true&sslmode=disable", "postgres://h/db?sslmode=disable&ssl=true",
	"postgres://h/db?requiressl=1", "postgres://h/db?requiressl=0", "postgres://h/db?us%65r=x", "postgres://h/db?us%zzr=x", "postgres://h/db?user=%00", "postgres://h/db?user=%zz",
	"postgres://h/db?nosuch=%zz", "postgres://h/db?options=-c%20geqo%3Doff", "postgres://h/db?options=-c geqo%3Doff", "postgres://h/db?options=-c+geqo%3Doff", "postgres://h/db?a=b&user=x",
	"postgres://h/db?application_name=a?b", "postgres://h/db?application_name=a/b", "postgres://h/db?application_name=me@x", "postgres://h?application_name=me@x", "postgres://h/db?host=x&port=9",
	"postgres://u:p@h/db?user=x&password=y", "postgres://h/db?hostaddr=1.2.3.4", "postgres://h/db?service=x", "postgres://h/db?password=a&b=c", "postgres://h/db?password=a%26b%3Dc",
	"postgres://h/db?user=x&user=y", "postgres://h/db#frag", "postgres://h/db?user=x#frag", "postgres://h/db?sslnegotiation=direct", "postgres://h/db?require_auth=none", "postgres://h/db?user=x%20y",
	"postgres://h/db?sslrootcert=%2Fr.crt&sslmode=verify-ca", "postgres://u:1/b?x=y@host", "postgres://h/db?keepalives=0&tcp_user_timeout=5", "postgres://h/db?user=é",
}

// difference is a string on which dsn and libpq do not agree, and why.
type difference struct {
	dsn    string
	reason string
	before int // the first libpq that agrees, or 0 for none yet
}

const (
	reasonPort = "a port in a URI that is no number is rejected at once, and not shown: it may be a piece of a password"
	reasonAt   = "a second @ in a URI's host or port is rejected at once, and not shown: it may be a piece of a password"
	reasonNew  = "a keyword of a newer libpq"
)

var differences = []difference{
	{"postgres://user:p@ss:word@host/db", reasonAt, 0},
	{"postgres://user:p@ss@host/db", reasonAt, 0},
	{"postgres://u@@h", reasonAt, 0},
	{"postgres://u@h@", reasonAt, 0},
	{"postgres://u:p@h1:1,h2@x:2/db", reasonAt, 0},
	{"postgres://user:pa/ss@host/db", reasonPort, 0},
	{"postgres://user:secret", reasonPort, 0},
	{"postgres://user:secret/db", reasonPort, 0},
	{"postgres://::1", reasonPort, 0},
	{"postgres://h:1:2", reasonPort, 0},
	{"postgres://a[::1]", reasonPort, 0},
	{"postgres://h:x", reasonPort, 0},
	{"postgres://h:5432x/db", reasonPort, 0},
	{"sslnegotiation=direct", reasonNew, 17},
	{"sslnegotiation=postgres", reasonNew, 17},
	{"require_auth=scram-sha-256", reasonNew, 16},
	{"require_auth=!password,!md5", reasonNew, 16},
	{"load_balance_hosts=random", reasonNew, 16},
	{"sslcertmode=disable", reasonNew, 16},
	{"gssdelegation=1", reasonNew, 16},
	{"sslkeylogfile=/tmp/keys", reasonNew, 18},
	{"min_protocol_version=3.0", reasonNew, 18},
	{"max_protocol_version=latest", reasonNew, 18},
	{"scram_client_key=AAAA", reasonNew, 18},
	{"scram_server_key=AAAA", reasonNew, 18},
	{"oauth_issuer=https://example.org", reasonNew, 18},
	{"oauth_client_id=x", reasonNew, 18},
	{"oauth_client_secret=y", reasonNew, 18},
	{"oauth_scope=openid", reasonNew, 18},
	{"postgres://h/db?sslnegotiation=direct", reasonNew, 17},
	{"postgres://h/db?require_auth=none", reasonNew, 16},
}
