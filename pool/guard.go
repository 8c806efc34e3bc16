package pool

import "runtime/debug"

// guard calls a user's function in a goroutine of its own and waits for it, so
// that neither a panic nor runtime.Goexit (a test's FailNow, say) ends the
// goroutine that has a slot to give back.
func guard(hook string, f func() error) (err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		returned := false
		defer func() {
			if !returned {
				err = &HookError{Hook: hook, Err: &PanicError{Value: recover(), Stack: debug.Stack()}}
			}
		}()
		err = f()
		returned = true
	}()
	<-done
	return err
}
