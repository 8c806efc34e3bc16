package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// Each driver runs in a process of its own, a worker, one for each workload. In
// one process they would slow each other down: a single timer of one driver's
// pool changes how Go's scheduler waits for the network, and with it the rate
// of every other driver's round trips by several percent.
//
// A worker reads requests from its standard input and writes a reply to each to
// its standard output, one JSON value a line. The first request opens. A worker
// ends when its input does.

// workerArg as the first argument makes the program a worker of the driver that
// the second one names.
const workerArg = "worker"

// request asks for a call of Runner, named by Do; "open" is for Driver.Open.
type request struct {
	Do string `json:"do"`

	Target   Target `json:"target"`   // open
	Workload string `json:"workload"` // open: its name
	Scale    Scale  `json:"scale"`    // open

	Setting string `json:"setting,omitempty"`
	Key     int64  `json:"key,omitempty"`
	Slice   Slice  `json:"slice"`
}

// reply is what the call gave.
type reply struct {
	Error   string `json:"error,omitempty"`
	Setting string `json:"setting,omitempty"`
	Digest  Digest `json:"digest"`
	Sample  Sample `json:"sample"`
}

// isWorker says whether the command line is that of a worker.
func isWorker(args []string) bool { return len(args) == 3 && args[1] == workerArg }

// workerMain is the main function of a worker; it gives the exit code.
func workerMain(driver string) int {
	if err := work(driver, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench: worker:", err)
		return 1
	}
	return 0
}

func work(driver string, in io.Reader, out io.Writer) error {
	drivers, err := pick("driver", allDrivers(), Driver.Name, []string{driver})
	if err != nil {
		return err
	}
	w := worker{driver: drivers[0]}
	requests, replies := json.NewDecoder(bufio.NewReader(in)), json.NewEncoder(out)
	for {
		var req request
		if err := requests.Decode(&req); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		rep, err := w.do(context.Background(), req)
		if err != nil {
			rep.Error = err.Error()
		}
		if err := replies.Encode(rep); err != nil {
			return err
		}
	}
}

type worker struct {
	driver Driver
	runner Runner // nil until opened
}

func (w *worker) do(ctx context.Context, req request) (rep reply, err error) {
	if w.runner == nil && req.Do != "open" {
		return rep, fmt.Errorf("%s before open", req.Do)
	}
	switch req.Do {
	case "open":
		workload, err := pick("workload", workloads(req.Scale), Workload.name, []string{req.Workload})
		if err != nil {
			return rep, err
		}
		w.runner, err = w.driver.Open(ctx, req.Target, workload[0])
		return rep, err
	case "setting":
		rep.Setting, err = w.runner.Setting(ctx, req.Setting)
	case "verify":
		rep.Digest, err = w.runner.Verify(ctx, req.Key)
	case "measure":
		rep.Sample, err = w.runner.Measure(ctx, req.Slice)
	case "close":
		err = w.runner.Close(ctx)
	default:
		err = fmt.Errorf("unknown request %q", req.Do)
	}
	return rep, err
}
