package dsn_test

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/duetdb/duet/dsn"
)

// unmetVectors are the shared test cases that do not hold, each with the reason.
var unmetVectors = map[string]string{}

// edgeVector is one of the test cases that EdgeDB's clients share.
type edgeVector struct {
	Name     string
	Platform string
	Opts     map[string]json.RawMessage
	Env      map[string]string
	FS       struct {
		Cwd     string
		Homedir string
		Files   map[string]json.RawMessage
	}
	Result   *edgeResult
	Error    *struct{ Type string }
	Warnings []string

	Comment1 string `json:" "`
	Comment2 string `json:"~"`
}

type edgeResult struct {
	Address            []any
	Branch             string
	Database           string
	Password           *string
	SecretKey          *string
	ServerSettings     map[string]string
	TLSCAData          *string
	TLSSecurity        string
	TLSServerName      *string
	User               string
	WaitUntilAvailable string
}

func readVectors[T any](t *testing.T, name string) []T {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var vectors []T
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields() // what is not looked at is not tested
	if err := d.Decode(&vectors); err != nil {
		t.Fatal(err)
	}
	return vectors
}

// TestEdgeDBVectors runs every case of the shared test cases, with the names that
// they have.
func TestEdgeDBVectors(t *testing.T) {
	vectors := readVectors[edgeVector](t, "edgedb_connection_testcases.json")
	if len(vectors) != 306 {
		t.Errorf("%d test cases, want 306", len(vectors))
	}
	unmet := maps.Clone(unmetVectors)
	seen := map[string]bool{}
	for _, v := range vectors {
		if seen[v.Name] || (v.Result == nil) == (v.Error == nil) {
			t.Errorf("%s: there twice, or without one of result and error", v.Name)
		}
		seen[v.Name] = true
		t.Run(v.Name, func(t *testing.T) {
			reason, listed := unmet[v.Name]
			delete(unmet, v.Name)
			problem := v.run(t)
			switch {
			case listed && problem == "":
				t.Errorf("it holds now: take it off the list (%s)", reason)
			case listed:
				t.Skip(reason)
			case problem != "":
				t.Error(problem)
			}
		})
	}
	for name := range unmet {
		t.Errorf("%s is listed as unmet, and there is no such test case", name)
	}
}

// run says in what the case does not hold. What the case gives as the option dsn
// or instance is also tried as the connection string.
func (v edgeVector) run(t *testing.T) string {
	world, opt := v.world(t), v.options(t)
	r, err := dsn.ParseEdgeDB("", opt, world.environment())
	problem := v.compare(r, err)
	text := ""
	for _, option := range []**string{&opt.DSN, &opt.Instance} {
		if *option != nil && text == "" {
			text, *option = **option, nil
		}
	}
	if text != "" && problem == "" {
		r, err = dsn.ParseEdgeDB(text, opt, world.environment())
		if problem = v.compare(r, err); problem != "" {
			problem = "as the connection string: " + problem
		}
	}
	return problem
}

func (v edgeVector) compare(r *dsn.EdgeDBResolved, err error) string {
	if err != nil {
		if r != nil {
			return "an error and a result"
		}
		problem, ok := err.(*dsn.EdgeDBError)
		switch {
		case !ok:
			return fmt.Sprintf("the error is a %T", err)
		case v.Error == nil:
			return fmt.Sprintf("it fails: %v", err)
		case string(problem.Kind) != v.Error.Type:
			return fmt.Sprintf("the error is %s (%v), want %s", problem.Kind, err, v.Error.Type)
		}
		return v.compareWarnings(problem.Warnings)
	}
	if v.Error != nil {
		return fmt.Sprintf("it gives %v, want the error %s", r, v.Error.Type)
	}
	c := r.Config()
	if len(c.Hosts) != 1 || c.Hosts[0].Network != "tcp" {
		return fmt.Sprintf("the hosts are %v, want one", c.Hosts)
	}
	// The durations are compared as such: PT300S is PT5M.
	want := *v.Result
	duration, ok := dsn.ParseEdgeDuration(want.WaitUntilAvailable)
	if !ok {
		return "the duration of the test case is none"
	}
	want.WaitUntilAvailable = duration.String()
	got := edgeResult{
		Address: []any{c.Hosts[0].Name, float64(c.Hosts[0].Port)}, Branch: c.Branch, Database: c.Database, SecretKey: orNil(c.SecretKey.Reveal()),
		ServerSettings: c.ServerSettings, TLSCAData: orNil(string(c.TLSCA)), TLSSecurity: string(c.TLSSecurity),
		TLSServerName: orNil(c.TLSServerName), User: c.User, WaitUntilAvailable: c.WaitUntilAvailable.String(),
	}
	if c.HasPassword {
		got.Password = new(c.Password.Reveal())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		return "want (-), got (+):\n" + diff
	}
	return v.compareWarnings(c.Warnings)
}

func (v edgeVector) compareWarnings(warnings []dsn.EdgeDBWarning) string {
	var kinds []string
	for _, w := range warnings {
		kinds = append(kinds, string(w.Kind))
	}
	if !slices.Equal(kinds, v.Warnings) {
		return fmt.Sprintf("the warnings are %v, want %v", kinds, v.Warnings)
	}
	return ""
}

func orNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func (v edgeVector) options(t *testing.T) (opt dsn.EdgeDBOptions) {
	places := map[string]**string{
		"dsn": &opt.DSN, "instance": &opt.Instance, "credentials": &opt.Credentials, "credentialsFile": &opt.CredentialsFile, "host": &opt.Host,
		"port": &opt.Port, "user": &opt.User, "password": &opt.Password, "secretKey": &opt.SecretKey, "database": &opt.Database,
		"branch": &opt.Branch, "tlsCA": &opt.TLSCA, "tlsCAFile": &opt.TLSCAFile, "tlsSecurity": &opt.TLSSecurity,
		"tlsServerName": &opt.TLSServerName, "waitUntilAvailable": &opt.WaitUntilAvailable,
	}
	for name, raw := range v.Opts {
		if name == "serverSettings" {
			if err := json.Unmarshal(raw, &opt.ServerSettings); err != nil {
				t.Fatal(err)
			}
			continue
		}
		place, ok := places[name]
		if !ok {
			t.Fatalf("unknown option %s", name)
		}
		text := string(raw) // of a number
		if raw[0] == '"' {
			if err := json.Unmarshal(raw, &text); err != nil {
				t.Fatal(err)
			}
		}
		*place = &text
	}
	return opt
}

func (v edgeVector) world(t *testing.T) edgeWorld {
	w := edgeWorld{env: v.Env, files: map[string]string{}, home: v.FS.Homedir, cwd: v.FS.Cwd}
	separator := "/"
	switch v.Platform {
	case "", "linux":
	case "windows":
		w.platform, separator = "windows", `\`
	case "macos":
		w.platform = "darwin"
	default:
		t.Fatalf("unknown platform %s", v.Platform)
	}
	for path, raw := range v.FS.Files {
		var text string
		if json.Unmarshal(raw, &text) == nil {
			w.files[path] = text
			continue
		}
		var project map[string]string // a folder, whose name has the project's hash
		if err := json.Unmarshal(raw, &project); err != nil {
			t.Fatal(err)
		}
		hashed := project["project-path"]
		if w.platform == "windows" {
			hashed = `\\?\` + hashed
		}
		sum := sha1.Sum([]byte(hashed))
		dir := strings.ReplaceAll(path, "${HASH}", hex.EncodeToString(sum[:]))
		for name, text := range project {
			w.files[dir+separator+name] = text
		}
	}
	return w
}

// TestEdgeDBProjectPaths runs the shared test cases about where a project's
// instance is remembered.
func TestEdgeDBProjectPaths(t *testing.T) {
	type vector struct {
		Platform, HomeDir, Project, Result string
		Env                                map[string]string
	}
	vectors := readVectors[vector](t, "edgedb_project_path_hashing_testcases.json")
	if len(vectors) != 4 {
		t.Errorf("%d test cases, want 4", len(vectors))
	}
	for _, v := range vectors {
		platform := strings.ReplaceAll(v.Platform, "macos", "darwin")
		w := edgeWorld{platform: platform, env: v.Env, home: v.HomeDir}
		if got := dsn.EdgeDBStash(v.Project, w.environment()); got != v.Result {
			t.Errorf("%s on %s: %s, want %s", v.Project, v.Platform, got, v.Result)
		}
	}
}
