package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A smoke run ends, measures every driver in every workload, and duet opens no
// more connections than it may.
func TestSmoke(t *testing.T) {
	if testing.Short() {
		t.Skip("short: it starts a server")
	}
	dir := t.TempDir()
	program := filepath.Join(dir, "edgedb")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	file := filepath.Join(dir, "report.json")
	cmd := exec.CommandContext(t.Context(), program, "--smoke", "--json", file)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, stderr.Bytes())
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var r report
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Workloads) != len(workloads()) {
		t.Fatalf("%d workloads, want %d", len(r.Workloads), len(workloads()))
	}
	opened := 0
	for _, w := range r.Workloads {
		if len(w.Drivers) != len(drivers()) {
			t.Errorf("%s: %d drivers, want %d", w.Name, len(w.Drivers), len(drivers()))
		}
		for _, d := range w.Drivers {
			if d.Rate <= 0 || !strings.Contains(stdout.String(), d.Title) {
				t.Errorf("%s: %s was not measured", w.Name, d.Name)
			}
			if d.Name == "duet" {
				opened += d.Opened
			}
		}
	}
	if opened > connections {
		t.Errorf("duet opened %d connections, and may have %d", opened, connections)
	}
}

func TestBadFlags(t *testing.T) {
	for _, args := range [][]string{{"--rounds", "0"}, {"--slice", "0s"}, {"--only", "nothing"}, {"superfluous"}, {"--nothing"}} {
		if err := run(t.Context(), args, &bytes.Buffer{}, &bytes.Buffer{}); err == nil {
			t.Errorf("%q: no error", args)
		}
	}
}
