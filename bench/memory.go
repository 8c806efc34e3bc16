package main

import (
	"bytes"
	"os"
	"runtime/metrics"
	"strconv"
	"sync"
	"time"
)

// memoryWatch samples the process's memory until it is stopped. It allocates
// only at its start, so that it does not show in what it watches.
type memoryWatch struct {
	quit chan struct{}
	once sync.Once
	done sync.WaitGroup

	statm                        *os.File // nil where there is none
	text                         [128]byte
	sample                       [1]metrics.Sample
	heap0, rss0, heap, rss, page uint64
}

// watchMemory starts a watch. Its stop must be called, once or more often.
func watchMemory() *memoryWatch {
	m := &memoryWatch{quit: make(chan struct{}), page: uint64(os.Getpagesize())}
	m.sample[0].Name = "/memory/classes/heap/objects:bytes"
	if f, err := os.Open("/proc/self/statm"); err == nil {
		m.statm = f
	}
	m.read()
	m.heap0, m.rss0 = m.heap, m.rss
	ticker := time.NewTicker(2 * time.Millisecond)
	m.done.Go(func() {
		defer ticker.Stop()
		for {
			select {
			case <-m.quit:
				return
			case <-ticker.C:
				m.read()
			}
		}
	})
	return m
}

// read raises the peaks.
func (m *memoryWatch) read() {
	metrics.Read(m.sample[:])
	if m.sample[0].Value.Kind() == metrics.KindUint64 {
		m.heap = max(m.heap, m.sample[0].Value.Uint64())
	}
	if m.statm == nil {
		return
	}
	// proc(5): the second number is the resident set, in pages.
	n, _ := m.statm.ReadAt(m.text[:], 0)
	_, rest, _ := bytes.Cut(m.text[:n], []byte(" "))
	resident, _, _ := bytes.Cut(rest, []byte(" "))
	if pages, err := strconv.ParseUint(string(resident), 10, 64); err == nil {
		m.rss = max(m.rss, pages*m.page)
	}
}

// stop ends the watch and gives the peaks above the start, in bytes.
func (m *memoryWatch) stop() (heap, rss uint64) {
	m.once.Do(func() {
		close(m.quit)
		m.done.Wait()
		m.read()
		if m.statm != nil {
			m.statm.Close()
		}
	})
	return m.heap - m.heap0, m.rss - m.rss0
}
