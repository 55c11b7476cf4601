package bench

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
)

// keyBits is the size of a certificate's key; 0 if it is of an unknown kind.
func keyBits(key any) int {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return k.N.BitLen()
	case *ecdsa.PublicKey:
		return k.Curve.Params().BitSize
	case ed25519.PublicKey:
		return 256
	}
	return 0
}
