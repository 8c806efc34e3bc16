package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/duetdb/duet/backends/postgres"
	"github.com/duetdb/duet/internal/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

func newService(t *testing.T) *service {
	t.Helper()
	client, err := postgres.Connect(t.Context(), pgtest.Shared(t).NewDatabase(t), postgres.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if _, err := client.Execute(t.Context(), schema); err != nil {
		t.Fatal(err)
	}
	return &service{client: client}
}

func (s *service) post(t *testing.T, body string) int {
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/transfers", strings.NewReader(body))
	w := httptest.NewRecorder()
	s.transfer(w, r)
	return w.Code
}

func (s *service) get(t *testing.T) string {
	w := httptest.NewRecorder()
	s.accounts(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/accounts", nil))
	text, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestTransfer(t *testing.T) {
	s := newService(t)
	tests := []struct {
		name, body string
		status     int
	}{
		{"moves", `{"from":"ada","to":"bob","amount":60}`, http.StatusNoContent},
		{"no funds", `{"from":"ada","to":"bob","amount":60}`, http.StatusConflict},
		{"no payer", `{"from":"nobody","to":"bob","amount":1}`, http.StatusNotFound},
		{"no payee", `{"from":"ada","to":"nobody","amount":1}`, http.StatusNotFound},
		{"negative", `{"from":"ada","to":"bob","amount":-1}`, http.StatusBadRequest},
		{"no JSON", `ada bob 1`, http.StatusBadRequest},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := s.post(t, tt.body); got != tt.status {
				t.Errorf("status %d, want %d", got, tt.status)
			}
		})
	}
	if got, want := s.get(t), `[{"owner":"ada","balance":40},{"owner":"bob","balance":160}]`; got != want {
		t.Errorf("the accounts are %s, want %s", got, want)
	}
}

func TestTransfersAtOnce(t *testing.T) {
	s := newService(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 5 {
				if got := s.post(t, `{"from":"ada","to":"bob","amount":1}`); got != http.StatusNoContent {
					t.Errorf("status %d", got)
				}
			}
		})
	}
	wg.Wait()
	if got, want := s.get(t), `[{"owner":"ada","balance":60},{"owner":"bob","balance":140}]`; got != want {
		t.Errorf("the accounts are %s, want %s", got, want)
	}
}
