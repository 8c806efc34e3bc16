// Package retry runs something again where another attempt can help: classes
// of errors, a policy for each class, a budget for a whole client, and the
// loop. It knows no database: what class an error has is told by a function.
package retry
