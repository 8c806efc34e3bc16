package dsn_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/duetdb/duet/dsn"
)

func someCertificate(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func TestEdgeDBDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"PT30S": 30 * time.Second, "PT1H2M3.5S": time.Hour + 2*time.Minute + 3500*time.Millisecond, "PT90M": 90 * time.Minute, "PT300S": 5 * time.Minute,
		"PT2": 2 * time.Hour, "PT0.5H": 30 * time.Minute, "PT0S": 0, "PT0.000001S": time.Microsecond, "PT0.0000001S": 0,
		"9 minutes": 9 * time.Minute, "10 s": 10 * time.Second, "5s2minutes": 2*time.Minute + 5*time.Second, "1hour": time.Hour, "1 Hour 2 MIN": time.Hour + 2*time.Minute,
		" 3 ms ": 3 * time.Millisecond, "1.5s": 1500 * time.Millisecond, "7us": 7 * time.Microsecond, "2500000h": 2500000 * time.Hour,
	} {
		if got, ok := dsn.ParseEdgeDuration(text); !ok || got != want {
			t.Errorf("%q: %v %v, want %v", text, got, ok, want)
		}
	}
	for _, text := range []string{"", " ", "PT", "P1D", "PT1M1H", "PT1S1S", "PT-1S", "PT1.S", "PT.5S", "PT1.2.3S", "PT1X", "PTS", "pt1s", "5", "s", "5 x", "5s 5s", "1h 1hour",
		"-5s", "+5s", "1e3s", "5 s x", "5..0s", "0x5s", "infs", "nan s", "99999999999h", "2562047h 48m", strings.Repeat("9", 400) + "s", "5\x00s", "5 ſ"} {
		if got, ok := dsn.ParseEdgeDuration(text); ok {
			t.Errorf("%q is %v, want none", text, got)
		}
	}
}

func TestEdgeDBChecksum(t *testing.T) {
	// The check value that catalogues of checksums list for CRC-16/XMODEM.
	if got := dsn.CRC16XModem("123456789"); got != 0x31c3 {
		t.Errorf("%#x, want 0x31c3", got)
	}
}

func TestEdgeDBSecretKeys(t *testing.T) {
	token := func(claims string) string {
		return "nbwt_x." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + "." + canary
	}
	for _, key := range []string{"", canary, ".", "..", "a.!" + canary, token(""), token("{"), token("[]"), token("{}"), token(`{"iss":null}`), token(`{"iss":""}`), token(`{"iss":1}`),
		token(`{"iss":"a/` + canary + `"}`), token(`{"iss":"a b"}`), token(`{"iss":"x@` + canary + `"}`), token(`{"iss":"a\u0000"}`)} {
		err := edgeWorld{}.fail(t, "org/name", dsn.EdgeDBOptions{SecretKey: &key}, dsn.EdgeDBInvalidSecretKey)
		if strings.Contains(err.Error(), canary) {
			t.Errorf("the error shows the key: %v", err)
		}
	}
	key := token(`{"iss":"zone.example"}`)
	r := edgeWorld{}.parse(t, "Org/Name", dsn.EdgeDBOptions{SecretKey: &key, Branch: new("b")})
	host, _ := r.Get("host")
	if !strings.HasPrefix(host.Value, "name--org.c-") || !strings.HasSuffix(host.Value, ".i.zone.example") || host.Source.String() != "cloud instance org/name" {
		t.Errorf("host %s from %s", host.Value, host.Source)
	}
	// One byte less than too long.
	edgeWorld{}.parse(t, strings.Repeat("o", 30)+"/"+strings.Repeat("n", 31), dsn.EdgeDBOptions{SecretKey: &key})
	edgeWorld{}.fail(t, strings.Repeat("o", 31)+"/"+strings.Repeat("n", 31), dsn.EdgeDBOptions{SecretKey: &key}, dsn.EdgeDBInvalidInstanceName)
	// What a login stored.
	for text, kind := range map[string]dsn.EdgeDBErrorKind{
		`{}`: dsn.EdgeDBSecretKeyNotFound, `{`: dsn.EdgeDBInvalidCredentials, `{"secret_key":1}`: dsn.EdgeDBInvalidCredentials, `null`: dsn.EdgeDBSecretKeyNotFound,
		`{"secret_key":"x"}`: dsn.EdgeDBInvalidSecretKey,
	} {
		w := edgeWorld{home: "/h", files: map[string]string{"/h/.config/gel/cloud-credentials/default.json": text}}
		w.fail(t, "org/name", dsn.EdgeDBOptions{}, kind)
	}
}

func TestEdgeDBPaths(t *testing.T) {
	for _, c := range [][4]string{
		{"linux", "/a/b", "/a", "b"}, {"linux", "/a/b/", "/a", "b"}, {"linux", "/a", "/", "a"}, {"linux", "/", "/", ""}, {"linux", "a", "", "a"}, {"linux", "", "", ""},
		{"linux", `/a\b`, "/", `a\b`}, {"linux", "/a//b", "/a", "b"},
		{"windows", `C:\a\b`, `C:\a`, "b"}, {"windows", `C:\a`, `C:\`, "a"}, {"windows", `C:\`, `C:\`, ""}, {"windows", `C:/a/b`, `C:/a`, "b"},
		{"windows", `\\server\share\a`, `\\server\share\`, "a"}, {"windows", `\\server\share\`, `\\server\share\`, ""}, {"windows", `\\server`, `\\server`, ""},
	} {
		if dir, name := dsn.EdgeDBParent(c[1], c[0]); dir != c[2] || name != c[3] {
			t.Errorf("%s: the parent of %q is %q, %q, want %q, %q", c[0], c[1], dir, name, c[2], c[3])
		}
	}
}

// TestEdgeDBConfigDirs puts an instance's credentials into each folder that may
// hold them, in the order of precedence.
func TestEdgeDBConfigDirs(t *testing.T) {
	for _, c := range []struct {
		world edgeWorld
		paths []string
	}{
		{edgeWorld{home: "/h"}, []string{"/h/.config/edgedb/", "/h/.config/gel/", "/h/.edgedb/"}},
		{edgeWorld{home: "/h", env: map[string]string{"XDG_CONFIG_HOME": "/x"}}, []string{"/x/edgedb/", "/x/gel/", "/h/.edgedb/"}},
		{edgeWorld{home: "/h", env: map[string]string{"XDG_CONFIG_HOME": "x"}}, []string{"/h/.config/edgedb/"}},
		{edgeWorld{env: map[string]string{"XDG_CONFIG_HOME": "/x"}}, []string{"/x/edgedb/"}},
		{edgeWorld{home: "/h", platform: "darwin"}, []string{"/h/Library/Application Support/edgedb/", "/h/Library/Application Support/gel/", "/h/.edgedb/"}},
		{edgeWorld{home: `C:\u`, platform: "windows"}, []string{`C:\u\AppData\Local\EdgeDB\config\`, `C:\u\AppData\Local\Gel\config\`, `C:\u\.edgedb\`}},
		{edgeWorld{home: `C:\u`, platform: "windows", env: map[string]string{"LOCALAPPDATA": `D:\l`}}, []string{`D:\l\EdgeDB\config\`}},
	} {
		separator := c.paths[0][len(c.paths[0])-1:]
		c.world.files = map[string]string{}
		for i := len(c.paths) - 1; i >= 0; i-- { // each is found until one before it is there
			c.world.files[c.paths[i]+"credentials"+separator+"one.json"] = `{"user":"` + strings.Repeat("u", i+1) + `"}`
			if got := c.world.parse(t, "one", dsn.EdgeDBOptions{}).Config().User; len(got) != i+1 {
				t.Errorf("%s, %s: that of another folder was taken: %s", c.world.platform, c.paths[i], got)
			}
		}
	}
}

// TestEdgeDBProjects walks up to the manifest.
func TestEdgeDBProjects(t *testing.T) {
	w := edgeWorld{home: "/h", cwd: "/p/a/b", files: map[string]string{"/p/a/gel.toml": "", "/p/edgedb.toml": ""}, dirs: []string{"/p/a/b"}}
	stash := dsn.EdgeDBStash("/p/a", w.environment())
	outer := dsn.EdgeDBStash("/p", w.environment())
	w.files[outer+"/instance-name"] = "outer"
	w.fail(t, "", dsn.EdgeDBOptions{}, dsn.EdgeDBProjectNotInitialised) // the inner one counts
	w.dirs = append(w.dirs, stash)
	w.fail(t, "", dsn.EdgeDBOptions{}, dsn.EdgeDBProjectNotInitialised)
	w.files[stash+"/instance-name"] = "../x"
	w.fail(t, "", dsn.EdgeDBOptions{}, dsn.EdgeDBInvalidDSNOrName)
	w.files[stash+"/instance-name"] = "inner"
	w.fail(t, "", dsn.EdgeDBOptions{}, dsn.EdgeDBCredentialsNotFound)
	w.files["/h/.config/edgedb/credentials/inner.json"] = `{"database":"d"}`
	if c := w.parse(t, "", dsn.EdgeDBOptions{}).Config(); c.Branch != "d" || c.Database != "d" {
		t.Errorf("branch %s, database %s", c.Branch, c.Database)
	}
	w.files[stash+"/database"] = " \n"
	w.fail(t, "", dsn.EdgeDBOptions{}, dsn.EdgeDBInvalidDatabase)
	w.files[stash+"/branch"] = "b"
	if c := w.parse(t, "", dsn.EdgeDBOptions{}).Config(); c.Branch != "b" {
		t.Errorf("branch %s", c.Branch)
	}
	for _, cwd := range []string{"/", "", "relative"} {
		w.cwd = cwd
		w.fail(t, "", dsn.EdgeDBOptions{}, dsn.EdgeDBNoOptions)
	}
}

// TestEdgeDBHuge gives texts whose cost must not grow with their square.
func TestEdgeDBHuge(t *testing.T) {
	var settings strings.Builder
	for i := range 200_000 {
		settings.WriteString("&a" + strconv.Itoa(i))
	}
	big := strings.Repeat("x", 1<<20)
	for _, text := range []string{
		"edgedb://?" + settings.String(), "edgedb://?" + big, "edgedb://" + strings.Repeat("a,", 1<<18) + "a", "edgedb://" + strings.Repeat("@:", 1<<19),
		"edgedb://" + strings.Repeat("[", 1<<20), strings.Repeat("a-", 1<<19) + "a", "edgedb://" + strings.Repeat("%41", 1<<18), "edgedb://?wait_until_available=" + strings.Repeat("1s", 1<<18),
		"edgedb://?port=" + strings.Repeat("1", 1<<20), big + "/" + big,
	} {
		_, err := dsn.ParseEdgeDB(text, dsn.EdgeDBOptions{SeveralHosts: true}, edgeWorld{}.environment())
		if err != nil && len(err.Error()) > 1000 {
			t.Errorf("an error of %d bytes", len(err.Error()))
		}
	}
	long := strings.Repeat("n", 5000)
	if err := (edgeWorld{home: "/h"}).fail(t, "edgedb://?user_env="+strings.ToUpper(long), dsn.EdgeDBOptions{}, dsn.EdgeDBEnvNotFound); len(err.Error()) > 6000 {
		t.Errorf("an error of %d bytes", len(err.Error()))
	}
}
