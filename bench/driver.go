package main

import (
	"context"
	"fmt"
	"path"
	"slices"
	"time"
)

// baseDriver is the driver that the ratios are taken to.
const baseDriver = "null"

// Driver is one way of talking to PostgreSQL. It makes a Runner for a workload,
// in a worker process (see worker.go).
type Driver interface {
	// Name is the driver's name in --drivers and in the tables.
	Name() string
	// Title says in a few words how the driver is used.
	Title() string
	// Open connects, with one connection for each of w's workers, and prepares what w needs.
	Open(ctx context.Context, t Target, w Workload) (Runner, error)
}

// Runner runs one workload. It is for one goroutine; those of a workload with
// workers are its own.
type Runner interface {
	// Setting gives a run-time parameter of the server as the session sees it.
	Setting(ctx context.Context, name string) (string, error)
	// Verify runs one operation in full and gives the digest of its result.
	Verify(ctx context.Context, key int64) (Digest, error)
	// Measure runs operations until the slice is over.
	Measure(ctx context.Context, s Slice) (Sample, error)
	// Close closes the connection.
	Close(ctx context.Context) error
}

// Target says where the server is.
type Target struct {
	// DSN is for the drivers that parse one.
	DSN string
	// Network is "tcp" or "unix", Address what net.Dial takes.
	Network, Address string
	// Params are the startup parameters: user, database, and what the DSN set.
	Params map[string]string
}

// Slice is one turn of a driver in a round.
type Slice struct {
	// Duration is the length of the slice: no operation starts after it.
	Duration time.Duration
	// MaxOps ends the slice earlier; 0 does not.
	MaxOps int64
	// Seed of the random keys: the drivers of one round get the same.
	Seed uint64
	// WatchMemory samples heap and resident memory while the slice runs.
	WatchMemory bool
}

// Sample is what one slice measured. Allocated bytes, objects and CPU time are
// those of the client's whole process over the slice.
type Sample struct {
	Ops      int64
	Elapsed  time.Duration
	P50, P99 time.Duration
	Allocs   uint64
	Bytes    uint64
	CPU      time.Duration
	// PeakHeap and PeakRSS are bytes above what was there when the slice began;
	// 0 without WatchMemory.
	PeakHeap, PeakRSS uint64
}

// allDrivers are the drivers in the order of the tables.
func allDrivers() []Driver {
	drivers := append([]Driver{nullDriver{}}, duetDrivers()...)
	return append(drivers, pgxDriver{}, tunedDriver{}, pqDriver{})
}

// choosy is a Driver that is not for every workload.
type choosy interface{ Runs(w Workload) bool }

func runs(d Driver, w Workload) bool {
	c, ok := d.(choosy)
	return !ok || c.Runs(w)
}

// pick gives the elements that names ask for, in the order of all; a name may be
// a pattern of path.Match, and no names mean all of them.
func pick[T any](what string, all []T, name func(T) string, names []string) ([]T, error) {
	if len(names) == 0 {
		return all, nil
	}
	used := make([]bool, len(names))
	var picked []T
	var known []string
	for _, v := range all {
		known = append(known, name(v))
		wanted := false
		for i, pattern := range names {
			if ok, err := path.Match(pattern, name(v)); err == nil && ok {
				wanted, used[i] = true, true
			}
		}
		if wanted {
			picked = append(picked, v)
		}
	}
	if i := slices.Index(used, false); i >= 0 {
		return nil, usageError{fmt.Errorf("there is no %s %q; there are %q", what, names[i], known)}
	}
	return picked, nil
}
