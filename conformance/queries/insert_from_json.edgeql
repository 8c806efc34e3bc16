# name: insert_from_json
# args: accounts json
# result: none
for x in json_array_unpack(<json>$0) union (insert Account { name := <str>x['name'], balance := <int64>x['balance'] })
