package pgtest_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/duetdb/duet/internal/pgtest"
)

// TestEmbedded downloads into the cache that the demo uses, so it costs a
// download once a machine.
func TestEmbedded(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: -short, and this may download")
	}
	var log bytes.Buffer
	s, err := pgtest.Start(t.Context(), pgtest.Config{Embedded: true, Log: &log})
	if errors.Is(err, pgtest.ErrNoPostgres) {
		t.Skipf("skipped: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if !strings.HasPrefix(s.Source(), "embedded ") {
		t.Errorf("Source: %q", s.Source())
	}
	if got := query(t, s.DSN(), "SHOW server_version"); !strings.HasPrefix(got, s.Version) {
		t.Errorf("the server is %q, Version says %q", got, s.Version)
	}
	// The second start downloads nothing.
	t.Setenv(pgtest.RepositoryEnv, "http://127.0.0.1:1")
	log.Reset()
	again, err := pgtest.Start(t.Context(), pgtest.Config{Embedded: true, Log: &log})
	if err != nil {
		t.Fatalf("the second start: %v", err)
	}
	defer again.Close()
	if log.Len() > 0 {
		t.Errorf("the second start says %q", log.String())
	}
}

// strangeArchive is a .txz of bin/initdb, bin/pg_ctl and bin/postgres: scripts
// that leave a file NAME.ran beside them when they run.
const strangeArchive = "/Td6WFoAAATm1rRGAgAhARYAAAB0L+Wj4Cf/AKZdADEaShsO1TDyWxuE7yh9tnRTrysNXAd5UQW6m9Sa3Kf50s520zPm98BaWxJMNySJ9Kz5BqVGr8pe+I4EGYyBcrzE7Fr9OH1qhrpuX3AfO5csjJQTcgyTqfzgfgIVs0mZTn4TU4p0y8qmsS7foD6XDsauG5kowKQA5/NryMdH8XFGsopPfHXtCAFIGOL836qYf3NvhmeoPNS1MOscv3CvJhAG3rkpRQAAAACsnjjDVcZQXgABwgGAUAAAWdrwI7HEZ/sCAAAAAARZWg=="

// repository serves one archive for every version and system. With sums it
// serves the right SHA-256 sums too.
func repository(t *testing.T, archive []byte, sums func(jar []byte) (int, string)) {
	t.Helper()
	var jar bytes.Buffer
	w := zip.NewWriter(&jar)
	f, err := w.Create("postgres.txz")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(archive); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, ".sha256") {
			_, _ = w.Write(jar.Bytes())
			return
		}
		status, body := sums(jar.Bytes())
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(srv.Close)
	t.Setenv(pgtest.RepositoryEnv, srv.URL)
}

func TestEmbeddedRefusesStrangeArchives(t *testing.T) {
	strange, err := base64.StdEncoding.DecodeString(strangeArchive)
	if err != nil {
		t.Fatal(err)
	}
	right := func(jar []byte) (int, string) {
		sum := sha256.Sum256(jar)
		return http.StatusOK, hex.EncodeToString(sum[:])
	}
	cases := map[string]struct {
		archive []byte
		sums    func([]byte) (int, string)
		want    string
	}{
		"served with its own sum": {strange, right, "SHA-256"},
		"served without a sum":    {strange, func([]byte) (int, string) { return http.StatusNotFound, "" }, "SHA-256"},
		"served with another sum": {strange, func([]byte) (int, string) { return http.StatusOK, strings.Repeat("0", 64) }, "checksums do not match"},
		"no archive at all":       {[]byte("hello"), right, "extract"},
		"the archive breaks off":  {strange[:100], right, "extract"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			repository(t, tc.archive, tc.sums)
			cache := reachableDir(t)
			_, err := pgtest.Start(t.Context(), pgtest.Config{Embedded: true, CacheDir: cache})
			if !errors.Is(err, pgtest.ErrNoPostgres) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want ErrNoPostgres with %q", err, tc.want)
			}
			_ = filepath.WalkDir(cache, func(path string, _ fs.DirEntry, err error) error {
				if err == nil && path != cache {
					t.Errorf("left in the cache: %s", path)
				}
				return nil
			})
		})
	}
}

func TestEmbeddedHonoursContext(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(arrived)
		<-release
	}))
	t.Setenv(pgtest.RepositoryEnv, srv.URL)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	cache := reachableDir(t)
	_, err := pgtest.Start(ctx, pgtest.Config{Embedded: true, CacheDir: cache})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	close(release)
	srv.Close()
}

func TestCacheMustBeOurs(t *testing.T) {
	dir := t.TempDir()
	open := filepath.Join(dir, "open")
	if err := os.Mkdir(open, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := pgtest.CheckPrivate(open); err != nil {
		t.Errorf("our own folder: %v", err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(open, link); err != nil {
		t.Fatal(err)
	}
	if err := pgtest.CheckPrivate(link); err == nil {
		t.Error("a link was taken for a folder of ours")
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := pgtest.CheckPrivate(open); err == nil {
		t.Error("a folder that others may write to was taken")
	}
}

func TestVersions(t *testing.T) {
	for _, tc := range []struct {
		version, want string
		match         bool
	}{
		{"15.13", "", true}, {"15.13", "15", true}, {"15.13", "15.1", false}, {"15.13", "15.13", true},
		{"18beta1", "18", true}, {"18.3", "1", false}, {"15.13", "16", false},
	} {
		if got := pgtest.VersionMatches(tc.version, tc.want); got != tc.match {
			t.Errorf("%s for %q: %v", tc.version, tc.want, got)
		}
	}
	for want, resolved := range map[string]string{"": "18.3.0", "17": "17.5.0", "16.2": "16.2.0", "15.1.0": "15.1.0"} {
		if got := pgtest.ResolveVersion(want); string(got) != resolved {
			t.Errorf("%q resolves to %s, want %s", want, got, resolved)
		}
	}
}
