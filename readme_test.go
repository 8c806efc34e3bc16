package duet_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestREADMECompiles builds the README's program as a function body.
func TestREADMECompiles(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, code, found := strings.Cut(string(readme), "```go\n")
	code, _, closed := strings.Cut(code, "```")
	if !found || !closed {
		t.Fatal("README.md has no Go code")
	}
	program := `package readme

import (
	"context"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres"
)

func example(ctx context.Context, from, to int64) error {
` + code + "return err\n}\n\nvar _ = example\n"
	file := filepath.Join(t.TempDir(), "readme.go")
	if err := os.WriteFile(file, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "go", "vet", file).CombinedOutput(); err != nil {
		t.Errorf("the README's code does not compile: %v\n%s\n%s", err, out, program)
	}
}
