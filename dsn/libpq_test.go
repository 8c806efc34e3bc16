package dsn_test

import (
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/duetdb/duet/dsn"
)

// libpq is the compiled testdata/conninfo.c.
type libpq struct {
	program string
	major   int
}

// newLibpq compiles the program, or skips where that cannot be done.
func newLibpq(t *testing.T) *libpq {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("comparison with libpq: not on Windows")
	}
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("comparison with libpq: no C compiler (cc) is installed")
	}
	config, err := exec.LookPath("pg_config")
	if err != nil {
		t.Skip("comparison with libpq: no pg_config is installed")
	}
	folder := func(flag string) string {
		out, err := exec.Command(config, flag).Output()
		if err != nil {
			t.Skipf("comparison with libpq: pg_config %s: %v", flag, err)
		}
		return strings.TrimSpace(string(out))
	}
	if _, err := os.Stat(filepath.Join(folder("--includedir"), "libpq-fe.h")); err != nil {
		t.Skip("comparison with libpq: its headers are not installed")
	}
	program := filepath.Join(t.TempDir(), "conninfo")
	compile := exec.Command(cc, "-o", program, "testdata/conninfo.c",
		"-I"+folder("--includedir"), "-L"+folder("--libdir"), "-Wl,-rpath,"+folder("--libdir"), "-lpq")
	if out, err := compile.CombinedOutput(); err != nil {
		t.Skipf("comparison with libpq: %v\n%s", err, out)
	}
	l := &libpq{program: program}
	version, err := strconv.Atoi(strings.TrimSpace(l.run(t, nil, "", "version")))
	if err != nil {
		t.Fatal(err)
	}
	l.major = version / 10000
	t.Logf("libpq %d.%d", l.major, version%10000)
	return l
}

// run runs the program with nothing but env around it.
func (l *libpq) run(t *testing.T, env map[string]string, input, mode string) string {
	t.Helper()
	command := exec.Command(l.program, mode)
	command.Stdin = strings.NewReader(input)
	command.Env = []string{}
	for name, value := range env {
		command.Env = append(command.Env, name+"="+value)
	}
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%s %s: %v", l.program, mode, err)
	}
	return string(out)
}

// answer reads one line of the program: the values, or ok false for an error.
func answer(t *testing.T, line string) (values map[string]string, ok bool) {
	t.Helper()
	fields := strings.Fields(line)
	if len(fields) == 0 || fields[0] == "error" {
		return nil, false
	}
	values = map[string]string{}
	for _, field := range fields[1:] {
		key, encoded, _ := strings.Cut(field, "=")
		value, err := hex.DecodeString(encoded)
		if err != nil {
			t.Fatal(err)
		}
		values[key] = string(value)
	}
	return values, true
}

func hexLines(texts []string) string {
	var b strings.Builder
	for _, text := range texts {
		b.WriteString(hex.EncodeToString([]byte(text)) + "\n")
	}
	return b.String()
}

// TestAgreesWithPQconninfoParse compares every string of the corpus: error or
// success, and each value that the string gives.
func TestAgreesWithPQconninfoParse(t *testing.T) {
	l := newLibpq(t)
	if len(corpus) < 200 {
		t.Fatalf("the corpus has %d strings, want at least 200", len(corpus))
	}
	known := map[string]difference{}
	for _, d := range differences {
		known[d.dsn] = d
	}
	lines := strings.Split(l.run(t, nil, hexLines(corpus), "parse"), "\n")
	if len(lines) != len(corpus)+1 {
		t.Fatalf("libpq answered %d lines to %d strings", len(lines)-1, len(corpus))
	}
	agreed, differed := 0, 0
	for i, text := range corpus {
		if l.major >= 18 && strings.Contains(text, "://") && strings.ContainsAny(text, " \t") {
			continue // libpq came to trim or refuse blanks in URIs
		}
		want, wantOK := answer(t, lines[i])
		got, err := dsn.ParseOnly(text)
		same := wantOK == (err == nil) && (err != nil || cmp.Equal(want, got))
		d, listed := known[text]
		delete(known, text)
		expectSame := !listed || d.before > 0 && l.major >= d.before
		switch {
		case same && expectSame:
			agreed++
		case !same && !expectSame:
			differed++
		case same:
			t.Errorf("%q: listed as a difference (%s), but libpq agrees", text, d.reason)
		case wantOK && err == nil:
			t.Errorf("%q: got %q, libpq has %q", text, got, want)
		case wantOK:
			t.Errorf("%q: got error %v, libpq has %q", text, err, want)
		default:
			t.Errorf("%q: got %q, libpq has an error", text, got)
		}
	}
	for text := range known {
		t.Errorf("%q is listed as a difference, but not in the corpus", text)
	}
	t.Logf("%d strings: %d agree, %d differ as listed", len(corpus), agreed, differed)
}

// TestAgreesWithPQconndefaults compares the defaults in an empty environment and
// in one where every variable is set.
func TestAgreesWithPQconndefaults(t *testing.T) {
	l := newLibpq(t)
	full := map[string]string{"PGDATESTYLE": "ISO", "PGTZ": "UTC"}
	for _, name := range []string{"PGUSER", "PGPASSWORD", "PGPASSFILE", "PGCHANNELBINDING", "PGCONNECT_TIMEOUT", "PGDATABASE",
		"PGHOST", "PGHOSTADDR", "PGPORT", "PGCLIENTENCODING", "PGOPTIONS", "PGAPPNAME", "PGSSLMODE", "PGSSLNEGOTIATION",
		"PGSSLCOMPRESSION", "PGSSLCERT", "PGSSLKEY", "PGSSLCERTMODE", "PGSSLROOTCERT", "PGSSLCRL", "PGSSLCRLDIR", "PGSSLSNI",
		"PGREQUIREPEER", "PGREQUIREAUTH", "PGMINPROTOCOLVERSION", "PGMAXPROTOCOLVERSION", "PGSSLMINPROTOCOLVERSION",
		"PGSSLMAXPROTOCOLVERSION", "PGGSSENCMODE", "PGKRBSRVNAME", "PGGSSLIB", "PGGSSDELEGATION", "PGTARGETSESSIONATTRS",
		"PGLOADBALANCEHOSTS"} {
		full[name] = "value of " + name
	}
	for name, env := range map[string]map[string]string{
		"empty":        {"HOME": t.TempDir()},
		"full":         full,
		"requiressl":   {"PGREQUIRESSL": "1"},
		"requiressl 0": {"PGREQUIRESSL": "0"},
		"sslmode wins": {"PGREQUIRESSL": "1", "PGSSLMODE": "allow"},
		"set, empty":   {"PGHOST": "", "PGPORT": "", "PGSSLMODE": "", "PGOPTIONS": ""},
	} {
		t.Run(name, func(t *testing.T) {
			want, ok := answer(t, l.run(t, env, "", "defaults"))
			if !ok {
				t.Fatal("libpq gave no defaults")
			}
			r, err := dsn.ParsePostgres("", environment(env))
			if err != nil {
				t.Fatal(err)
			}
			got := comparable(r, l)
			// These come later in libpq: when it connects.
			for _, later := range []string{"dbname", "passfile"} {
				if _, ok := want[later]; !ok {
					delete(got, later)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("libpq (-) and dsn (+):\n%s", diff)
			}
		})
	}
}

// comparable gives what libpq of this version would know of r.
func comparable(r *dsn.Resolved, l *libpq) map[string]string {
	values := map[string]string{}
	since := dsn.KeywordsSince()
	for _, v := range r.AllRevealed() {
		if since[v.Keyword] <= l.major {
			values[v.Keyword] = v.Value
		}
	}
	return values
}

// environment is a process's environment with nothing but env in it.
func environment(env map[string]string) dsn.Environment {
	return dsn.Environment{
		LookupEnv: func(name string) (string, bool) { value, ok := env[name]; return value, ok },
	}
}

// TestAgreesWithPQconninfo compares what libpq resolves when it connects: from
// string, service file, environment, defaults and password file together.
func TestAgreesWithPQconninfo(t *testing.T) {
	l := newLibpq(t)
	home, system := t.TempDir(), t.TempDir()
	write := func(path, text string, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(home, ".pg_service.conf"), services, 0o644)
	write(filepath.Join(system, "pg_service.conf"), "[onlysystem]\nport=7\n[shop]\nport=8\n", 0o644)
	write(filepath.Join(home, ".pgpass"), passwords, 0o600)
	write(filepath.Join(home, "open"), passwords, 0o644)
	for _, c := range resolutions {
		t.Run(c.name, func(t *testing.T) {
			env := map[string]string{"HOME": home, "PGSYSCONFDIR": system, "PGHOST": "/nosuch"}
			for name, value := range c.env {
				env[name] = strings.ReplaceAll(value, "~", home)
			}
			text := strings.ReplaceAll(c.dsn, "~", home)
			want, wantOK := answer(t, l.run(t, env, hexLines([]string{text}), "resolve"))
			r, config, err := resolve(text, env)
			if wantOK != (err == nil) {
				t.Fatalf("libpq succeeds: %v; dsn's error: %v", wantOK, err)
			}
			if err != nil {
				return
			}
			// No server is there: libpq ends at the last host.
			last := config.Hosts[len(config.Hosts)-1]
			if got := config.PasswordFor(last).Reveal(); got != want["#pass"] {
				t.Errorf("password: got %q, libpq has %q", got, want["#pass"])
			}
			if got := last.Name; got != want["#host"] && got != "" {
				t.Errorf("host: got %q, libpq has %q", got, want["#host"])
			}
			port := strings.TrimPrefix(strings.TrimSpace(want["#port"]), "+")
			if port != "" && port != strconv.Itoa(int(last.Port)) {
				t.Errorf("port: got %d, libpq has %s", last.Port, want["#port"])
			}
			got := comparable(r, l)
			if v, _ := r.Get("password"); v.Source.Kind == dsn.SourcePasswordFile {
				delete(got, "password") // libpq keeps it with the host
				delete(want, "password")
			}
			for _, key := range []string{"#pass", "#host", "#port"} {
				delete(want, key)
			}
			if _, ok := want["service"]; !ok {
				delete(got, "service") // PQconninfo came to tell it later
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("libpq (-) and dsn (+):\n%s", diff)
			}
		})
	}
}

func resolve(text string, env map[string]string) (*dsn.Resolved, *dsn.Config, error) {
	r, err := dsn.ParsePostgres(text, environment(env))
	if err != nil {
		return nil, nil, err
	}
	config, err := r.Postgres()
	return r, config, err
}

const services = `# services
  [ shop ]
host=wrong

[shop]
host=/shop
port=6000
 user=anna
application_name=a = b
dbname=first
dbname=second
# comment
password=from service

[shop]
port=9
[empty]
[unknown]
hosst=x
[nested]
service=shop
[junk]
what is this
[blanks]
port = 5
[system]
sslrootcert=system
`

const passwords = `# host:port:database:user:password
db1:5432:shop:anna:one
db\:2:5432:*:anna:two\:\\x
*:6000:*:anna:port6000
localhost:5432:shop:bert:local
/tmp:5432:*:carl:tmp
10.0.0.1:*:*:*:address
/nosuch:*:shop:dora:pass:rest
/nosuch:*:shop:esra:
/nosuch:*:shop:fred:trailing\
bad line
::::
/nosuch:*:*:*:any
`

var resolutions = []struct {
	name string
	dsn  string
	env  map[string]string
}{
	{"nothing", "", nil},
	{"dsn over environment", "user=a port=1", map[string]string{"PGUSER": "b", "PGPORT": "2", "PGDATABASE": "c"}},
	{"empty user and database", "user= dbname=", map[string]string{"PGDATABASE": "c"}},
	{"uri without database", "postgres:///", map[string]string{"PGDATABASE": "c"}},
	{"service", "service=shop host=/x", map[string]string{"PGPORT": "1", "PGUSER": "b"}},
	{"service of environment", "", map[string]string{"PGSERVICE": "shop", "PGHOST": "/env"}},
	{"service in uri", "postgres:///?service=shop", nil},
	{"service in the system's file", "service=onlysystem", nil},
	{"service in a named file", "service=shop", map[string]string{"PGSERVICEFILE": "~/.pg_service.conf"}},
	{"service file missing", "service=shop", map[string]string{"PGSERVICEFILE": "/nosuch/file"}},
	{"service missing", "service=nosuch", nil},
	{"service empty", "service=", nil},
	{"service without entries", "service=empty user=x", nil},
	{"service with unknown key", "service=unknown", nil},
	{"service nested", "service=nested", nil},
	{"service with junk", "service=junk", nil},
	{"service with blanks around equals", "service=blanks", nil},
	{"explicit password hides passfile", "user=anna password=x", nil},
	{"empty password does not", "user=dora dbname=shop password=", nil},
	{"password ends at a colon", "user=dora dbname=shop", nil},
	{"empty password in the file", "user=esra dbname=shop", nil},
	{"trailing backslash", "user=fred dbname=shop", nil},
	{"password by name with address", "host=db1 hostaddr=127.0.0.1 user=anna dbname=shop", nil},
	{"password by escaped name", "host=db:2 hostaddr=127.0.0.1 user=anna dbname=x", nil},
	{"password by port", "port=6000 user=anna", nil},
	{"password by address", "hostaddr=10.0.0.1 host= user=anna", nil},
	{"password for default socket", "host='' user=bert dbname=shop", nil},
	{"password file others can read", "passfile=~/open user=dora dbname=shop", nil},
	{"password file missing", "passfile=/nosuch/file", nil},
	{"password file is a folder", "passfile=~", nil},
	{"password file of environment", "user=dora dbname=shop", map[string]string{"PGPASSFILE": "~/.pgpass"}},
	{"several hosts", "host=/a,/b port=1,2 user=u", nil},
	{"several hosts, one port", "host=/a,/b port=7", nil},
	{"several hosts, empty ports", "host=/a,/b port=,2", nil},
	{"hosts and ports mismatch", "host=/a,/b port=1,2,3", nil},
	{"one host, two ports", "host=/a port=1,2", nil},
	{"hosts and addresses mismatch", "host=/a,/b hostaddr=127.0.0.1", nil},
	{"port empty", "port=", nil},
	{"port with blanks", "port=' 5432 '", nil},
	{"port signed", "port=+5432", nil},
	{"port zero", "port=0", nil},
	{"port too large", "port=65536", nil},
	{"port no number", "port=abc", nil},
	{"port with rest", "port=5432x", nil},
	{"address bad", "hostaddr=nonsense", nil},
	{"sslmode bad", "sslmode=nonsense", nil},
	{"sslmode empty", "sslmode=", nil},
	{"sslmode in capitals", "sslmode=REQUIRE", nil},
	{"sslmode empty in environment", "", map[string]string{"PGSSLMODE": ""}},
	{"requiressl in environment", "", map[string]string{"PGREQUIRESSL": "1"}},
	{"channel_binding bad", "channel_binding=maybe", nil},
	{"gssencmode bad", "gssencmode=maybe", nil},
	{"target_session_attrs bad", "target_session_attrs=maybe", nil},
	{"target_session_attrs", "target_session_attrs=prefer-standby", nil},
	{"tls versions", "ssl_min_protocol_version=tlsv1.1 ssl_max_protocol_version=TLSv1.3", nil},
	{"tls version bad", "ssl_min_protocol_version=SSLv3", nil},
	{"tls versions reversed", "ssl_min_protocol_version=TLSv1.3 ssl_max_protocol_version=TLSv1.2", nil},
	{"tls versions empty", "ssl_min_protocol_version= ssl_max_protocol_version=", nil},
	{"abstract socket", "host=@abstract", nil},
	{"socket path too long", "host=/" + strings.Repeat("x", 120), nil},
	{"application name", "fallback_application_name=f", map[string]string{"PGAPPNAME": "x"}},
}
