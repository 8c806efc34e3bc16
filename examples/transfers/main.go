// Transfers is a small HTTP service that moves money between accounts. Each
// request is one transaction, which is run again where it loses against another:
// the handlers know nothing of that.
//
//	go run ./examples/transfers --listen localhost:8080   # the database: PG* variables
//	curl -d '{"from":"ada","to":"bob","amount":5}' localhost:8080/transfers
//	curl localhost:8080/accounts
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres"
)

func main() {
	listen := flag.String("listen", "localhost:8080", "the address to serve on")
	dsn := flag.String("dsn", "", "the database; default: the PG* environment")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := serve(ctx, *listen, *dsn); err != nil {
		slog.Error("the service ended", "error", err)
		os.Exit(1)
	}
}

const schema = `
create table if not exists account (owner text primary key, balance bigint not null check (balance >= 0));
insert into account values ('ada', 100), ('bob', 100) on conflict do nothing`

func serve(ctx context.Context, listen, dsn string) error {
	client, err := postgres.Connect(ctx, dsn, postgres.Config{
		Options: duet.Options{Timeout: 5 * time.Second},
		Hooks: duet.Hooks{Retry: func(_ context.Context, r duet.RetryInfo) {
			slog.Info("a transfer is run again", "attempt", r.Attempt, "class", r.Class, "wait", r.Wait)
		}},
	})
	if err != nil {
		return err
	}
	defer client.Close(context.WithoutCancel(ctx))
	if _, err := client.Execute(ctx, schema); err != nil {
		return err
	}
	s := &service{client: client}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /transfers", s.transfer)
	mux.HandleFunc("GET /accounts", s.accounts)
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	slog.Info("serving", "address", listener.Addr())
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer stop()
	err = server.Shutdown(ctx)
	<-ended
	return err
}

type service struct{ client duet.Client }

var errNoFunds = errors.New("not enough money")

// transfer answers POST /transfers.
func (s *service) transfer(w http.ResponseWriter, r *http.Request) {
	var t struct {
		From, To string
		Amount   int64
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4096)).Decode(&t); err != nil || t.Amount <= 0 || t.From == t.To {
		http.Error(w, "want {\"from\":…,\"to\":…,\"amount\":…}", http.StatusBadRequest)
		return
	}
	err := s.client.RetryingTx(r.Context(), func(ctx context.Context, tx duet.Tx) error {
		balance, err := duet.QueryOne[int64](ctx, tx, "select balance from account where owner = $1", t.From)
		if err != nil {
			return err
		}
		if balance < t.Amount {
			return errNoFunds
		}
		if _, err := tx.Execute(ctx, "update account set balance = balance - $amount where owner = $from", t); err != nil {
			return err
		}
		res, err := tx.Execute(ctx, "update account set balance = balance + $2 where owner = $1", t.To, t.Amount)
		if err == nil && res.RowsAffected == 0 {
			return duet.ErrNoData // rolls back what was taken from the payer
		}
		return err
	})
	switch {
	case err == nil:
		w.WriteHeader(http.StatusNoContent)
	case errors.Is(err, errNoFunds):
		http.Error(w, err.Error(), http.StatusConflict)
	case errors.Is(err, duet.ErrNoData):
		http.Error(w, "there is no such account", http.StatusNotFound)
	default:
		fail(w, err)
	}
}

// accounts answers GET /accounts with JSON that the client encodes from the rows,
// without structs in between.
func (s *service) accounts(w http.ResponseWriter, r *http.Request) {
	var text []byte
	if err := s.client.QueryJSON(r.Context(), "select owner, balance from account order by owner", &text); err != nil {
		fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(text)
}

// fail keeps what the error says from the client, and tells overload from faults.
func fail(w http.ResponseWriter, err error) {
	slog.Error("a request failed", "error", err)
	status := http.StatusInternalServerError
	switch duet.KindOf(err) {
	case duet.KindUnavailable, duet.KindPoolExhausted, duet.KindSerialization:
		status = http.StatusServiceUnavailable
	}
	http.Error(w, http.StatusText(status), status)
}
