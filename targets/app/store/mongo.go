package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
)

// disconnecting is how long closing waits for calls under way.
const disconnecting = time.Second

// Mongo is a client of a MongoDB server or replica set.
type Mongo struct {
	client *mongo.Client
	docs   *mongo.Collection
}

// OpenMongo returns a client of the server at a mongodb: or mongodb+srv: URL.
// Its database is the URL's, else hachaos. Writes are acknowledged by the
// majority; where reads go is the URL's readPreference, the primary by default.
func OpenMongo(address string, o Options) (*Mongo, error) {
	c, database, err := mongoOptions(address, o)
	if err != nil {
		return nil, err
	}
	client, err := mongo.Connect(c)
	if err != nil {
		return nil, err
	}
	return &Mongo{client: client, docs: client.Database(database).Collection("docs")}, nil
}

func mongoOptions(address string, o Options) (c *options.ClientOptions, database string, err error) {
	// A list of hosts with ports, which the driver reads, is no URL to Go.
	scheme, rest, _ := strings.Cut(address, "://")
	if scheme != "mongodb" && scheme != "mongodb+srv" {
		return nil, "", fmt.Errorf("its scheme is %q, want mongodb or mongodb+srv", scheme)
	}
	c = options.Client().ApplyURI(address)
	if err := c.Validate(); err != nil {
		return nil, "", err
	}
	c.SetRetryWrites(false).SetRetryReads(false).SetWriteConcern(writeconcern.Majority())
	c.SetMaxPoolSize(uint64(o.Conns)) // 0 is no bound to it too
	if o.Timeout > 0 {
		c.SetConnectTimeout(o.Timeout).SetServerSelectionTimeout(o.Timeout)
	}
	rest, _, _ = strings.Cut(rest, "?")
	if _, database, _ = strings.Cut(rest, "/"); database == "" {
		database = "hachaos"
	}
	return c, database, nil
}

// Close ends its connections.
func (m *Mongo) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), disconnecting)
	defer cancel()
	_ = m.client.Disconnect(ctx) // nothing is lost with them
}

// Ping asks for a sign of life.
func (m *Mongo) Ping(ctx context.Context) error { return m.client.Ping(ctx, nil) }

// document is how an item is stored.
type document struct {
	ID   string `bson:"_id"`
	Body string `bson:"body"`
}

// Add writes a document, once however often it is called with the same id.
func (m *Mongo) Add(ctx context.Context, item Item) error {
	_, err := m.docs.InsertOne(ctx, document(item))
	if mongo.IsDuplicateKeyError(err) {
		return nil
	}
	return err
}

// Last reads the documents with the n highest ids, the highest first.
func (m *Mongo) Last(ctx context.Context, n int) ([]Item, error) {
	cursor, err := m.docs.Find(ctx, bson.D{}, options.Find().SetSort(bson.D{{Key: "_id", Value: -1}}).SetLimit(int64(n)))
	if err != nil {
		return nil, err
	}
	var found []document
	if err := cursor.All(ctx, &found); err != nil {
		return nil, err
	}
	items := make([]Item, len(found))
	for i, d := range found {
		items[i] = Item(d)
	}
	return items, nil
}

// Get reads a document, or returns [ErrNone].
func (m *Mongo) Get(ctx context.Context, id string) (Item, error) {
	var d document
	err := m.docs.FindOne(ctx, bson.D{{Key: "_id", Value: id}}).Decode(&d)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return Item{}, ErrNone
	}
	return Item(d), err
}
