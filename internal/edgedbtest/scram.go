package edgedbtest

import (
	"crypto/rand"

	"github.com/xdg-go/scram"
)

// mechanism is the only way to log in.
const mechanism = "SCRAM-SHA-256"

// iterations and the length of the salt are EdgeDB's own.
const (
	iterations = 4096
	saltLength = 16
)

// verifier holds what is kept of the password.
type verifier struct {
	user         string
	known, mock  *scram.Server
	stored, none scram.StoredCredentials
}

func newVerifier(user, password string) (*verifier, error) {
	client, err := scram.SHA256.NewClient(user, password, "")
	if err != nil {
		return nil, err
	}
	v := &verifier{user: user}
	v.stored, err = client.GetStoredCredentialsWithError(scram.KeyFactors{Salt: randomSalt(), Iters: iterations})
	if err != nil {
		return nil, err
	}
	v.none = scram.StoredCredentials{
		KeyFactors: scram.KeyFactors{Salt: randomSalt(), Iters: iterations},
		StoredKey:  []byte(randomText()), ServerKey: []byte(randomText()),
	}
	if v.known, err = scram.SHA256.NewServer(func(string) (scram.StoredCredentials, error) { return v.stored, nil }); err != nil {
		return nil, err
	}
	v.mock, err = scram.SHA256.NewServer(func(string) (scram.StoredCredentials, error) { return v.none, nil })
	return v, err
}

// conversation begins the exchange with a client that says who it is. An
// unknown user gets as far as the proof, which fails: nobody learns who there is.
func (v *verifier) conversation(user string) *scram.ServerConversation {
	if user == v.user {
		return v.known.NewConversation()
	}
	return v.mock.NewConversation()
}

func randomSalt() string {
	salt := make([]byte, saltLength)
	_, _ = rand.Read(salt) // it never fails
	return string(salt)
}
