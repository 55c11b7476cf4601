package netproxy

// AttributesOf returns the attributes of a type of toxic with their defaults;
// nil if there is no such type, see [Kinds].
func AttributesOf(name string) Attributes {
	if k := kindNamed(name); k != nil {
		return k.attributes()
	}
	return nil
}

// CheckAttributes returns what is wrong with the values of a; nil if nothing is.
func CheckAttributes(a Attributes) error { return a.check() }
