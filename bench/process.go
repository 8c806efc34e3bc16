package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// process is a Runner in a worker. Whatever program speaks the worker's
// protocol can be one.
type process struct {
	cmd      *exec.Cmd
	stdin    io.WriteCloser
	requests *json.Encoder
	replies  *json.Decoder
	broken   bool // nothing more can be asked
}

// exitTimeout is how long a worker has to exit after its input was closed.
const exitTimeout = 5 * time.Second

// startProcess starts argv as a worker and opens in it what req says. The end of
// ctx kills the worker.
func startProcess(ctx context.Context, argv []string, req request) (*process, error) {
	p := &process{cmd: exec.CommandContext(ctx, argv[0], argv[1:]...)}
	p.cmd.Stderr = os.Stderr
	p.cmd.WaitDelay = exitTimeout
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	p.requests, p.replies = json.NewEncoder(p.stdin), json.NewDecoder(stdout)
	req.Do = "open"
	if _, err := p.call(ctx, req); err != nil {
		p.broken = true // there is nothing to close in it
		return nil, errors.Join(err, p.Close(ctx))
	}
	return p, nil
}

// startDriver starts this program as a worker of d.
func startDriver(ctx context.Context, d Driver, req request) (Runner, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p, err := startProcess(ctx, []string{self, workerArg, d.Name()}, req)
	if err != nil {
		return nil, err
	}
	return p, nil
}

func (p *process) call(ctx context.Context, req request) (reply, error) {
	var rep reply
	if err := p.requests.Encode(req); err != nil {
		return rep, p.lost(ctx, err)
	}
	if err := p.replies.Decode(&rep); err != nil {
		return rep, p.lost(ctx, err)
	}
	if rep.Error != "" {
		return rep, errors.New(rep.Error)
	}
	return rep, nil
}

func (p *process) lost(ctx context.Context, err error) error {
	p.broken = true
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("the worker does not answer: %w", err)
}

// Setting implements Runner.
func (p *process) Setting(ctx context.Context, name string) (string, error) {
	rep, err := p.call(ctx, request{Do: "setting", Setting: name})
	return rep.Setting, err
}

// Verify implements Runner.
func (p *process) Verify(ctx context.Context, key int64) (Digest, error) {
	rep, err := p.call(ctx, request{Do: "verify", Key: key})
	return rep.Digest, err
}

// Measure implements Runner.
func (p *process) Measure(ctx context.Context, s Slice) (Sample, error) {
	rep, err := p.call(ctx, request{Do: "measure", Slice: s})
	return rep.Sample, err
}

// Close implements Runner. The worker is gone when it returns.
func (p *process) Close(ctx context.Context) error {
	var err error
	if !p.broken {
		_, err = p.call(ctx, request{Do: "close"})
	}
	p.stdin.Close()
	timer := time.AfterFunc(exitTimeout, func() { p.cmd.Process.Kill() })
	defer timer.Stop()
	if waitErr := p.cmd.Wait(); waitErr != nil && !p.broken {
		err = errors.Join(err, fmt.Errorf("the worker's end: %w", waitErr))
	}
	return err
}
